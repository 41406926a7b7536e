//! Section `cpu`: processor time.

use super::{Facts, Field, Value, field};
use crate::commands::info::facts::CpuTime;

pub(super) const FIELDS: &[Field] = &[
    field("used_cpu_sys", |f| time(f, |cpu| cpu.system_us)),
    field("used_cpu_user", |f| time(f, |cpu| cpu.user_us)),
    field("used_cpu_sys_children", |f| {
        time(f, |cpu| cpu.children_system_us)
    }),
    field("used_cpu_user_children", |f| {
        time(f, |cpu| cpu.children_user_us)
    }),
    field("used_cpu_sys_main_thread", |f| {
        main_thread(f, |cpu| cpu.system_us)
    }),
    field("used_cpu_user_main_thread", |f| {
        main_thread(f, |cpu| cpu.user_us)
    }),
];

fn time(facts: &Facts, part: fn(CpuTime) -> u64) -> Value {
    facts
        .cpu()
        .map_or(Value::Unknown, |cpu| Value::Microseconds(part(cpu)))
}

fn main_thread(facts: &Facts, part: fn(CpuTime) -> u64) -> Value {
    facts
        .main_thread_cpu()
        .map_or(Value::Unknown, |cpu| Value::Microseconds(part(cpu)))
}
