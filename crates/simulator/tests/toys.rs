//! The disk is itself tested: toy users of it are correct under every cut, and with a bug planted they are found out.

use std::io;
use std::path::Path;

use dunlin_server::persistence::disk::{Disk, DiskFile};
use dunlin_simulator::disk::{Failure, Operation};
use dunlin_simulator::{SimDisk, sweep};

const SEEDS: u64 = 200;

#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Bug {
    None,
    /// The new file is not synced before it takes the old one's name.
    NoSync,
    /// The directory is not synced.
    NoDirSync,
    /// A record is acknowledged before it is durable.
    EarlyAcknowledgement,
    /// A sync that failed is tried again and trusted.
    RetriedSync,
}

fn at(name: &str) -> std::path::PathBuf {
    Path::new("d").join(name)
}

/// Replaces a file's content over and over; the versions that were acknowledged.
fn replace(disk: &SimDisk, bug: Bug) -> u8 {
    let mut acknowledged = 0;
    let mut save = |version: u8| -> io::Result<()> {
        let mut file = disk.create(&at("temporary"))?;
        file.write_all(&[version; 600])?;
        file.write_all(&[version; 600])?;
        if bug != Bug::NoSync {
            file.sync()?;
        }
        disk.rename(&at("temporary"), &at("file"))?;
        if bug != Bug::NoDirSync {
            disk.sync_dir(Path::new("d"))?;
        }
        acknowledged = version;
        Ok(())
    };
    let _: io::Result<()> = (1..=3).try_for_each(&mut save);
    acknowledged
}

fn check_replaced(disk: &SimDisk, acknowledged: u8) -> Result<(), String> {
    let found = disk.bytes(&at("file")).unwrap_or_default();
    let version = found.first().copied().unwrap_or(0);
    let whole = found.is_empty() || found == [version; 1200];
    // The cut may have come after the save was done and before it was acknowledged.
    if whole && (version == acknowledged || version == acknowledged + 1) {
        return Ok(());
    }
    Err(format!(
        "{acknowledged} was acknowledged, {} bytes of {version} found",
        found.len()
    ))
}

fn sweep_replace(bug: Bug) -> Result<(), String> {
    for seed in 0..SEEDS {
        let calls = sweep::every_cut(
            seed,
            Path::new("d"),
            |disk| replace(disk, bug),
            check_replaced,
        )?;
        assert!(calls > 10);
    }
    Ok(())
}

#[test]
fn replacing_a_file() {
    assert_eq!(sweep_replace(Bug::None), Ok(()));
    for bug in [Bug::NoSync, Bug::NoDirSync] {
        assert!(sweep_replace(bug).is_err(), "{bug:?} was not found");
    }
}

/// Appends records of eight bytes; how many were acknowledged. A sync fails on the way.
fn log(disk: &SimDisk, bug: Bug) -> u64 {
    let mut acknowledged = 0;
    let mut run = || -> io::Result<()> {
        let mut file = disk.create(&at("log"))?;
        disk.sync_dir(Path::new("d"))?;
        for number in 0..6u64 {
            file.write_all(&number.to_le_bytes())?;
            if bug == Bug::EarlyAcknowledgement {
                acknowledged = number + 1;
            }
            if number == 4 {
                disk.fail_next(Operation::Sync, Failure::Device);
            }
            match file.sync() {
                Err(error) if bug != Bug::RetriedSync => return Err(error),
                Err(_) => file.sync()?,
                Ok(()) => {}
            }
            acknowledged = number + 1;
        }
        Ok(())
    };
    let _ = run();
    acknowledged
}

fn check_log(disk: &SimDisk, acknowledged: u64) -> Result<(), String> {
    let found = disk.bytes(&at("log")).unwrap_or_default();
    let expected = (0..acknowledged).flat_map(u64::to_le_bytes);
    if found.len() as u64 >= acknowledged * 8 && expected.zip(&found).all(|(a, b)| a == *b) {
        return Ok(());
    }
    Err(format!("{acknowledged} were acknowledged, found {found:?}"))
}

fn sweep_log(bug: Bug) -> Result<(), String> {
    (0..SEEDS).try_for_each(|seed| {
        sweep::every_cut(seed, Path::new("d"), |disk| log(disk, bug), check_log).map(|_| ())
    })
}

#[test]
fn appending_to_a_log() {
    assert_eq!(sweep_log(Bug::None), Ok(()));
    for bug in [Bug::EarlyAcknowledgement, Bug::RetriedSync] {
        assert!(sweep_log(bug).is_err(), "{bug:?} was not found");
    }
}

#[test]
fn the_same_seed_loses_the_same() {
    let left = |seed| {
        let disk = SimDisk::new(seed, Path::new("d"));
        disk.cut_at(7);
        replace(&disk, Bug::NoSync);
        disk.power_off();
        (disk.bytes(&at("file")), disk.bytes(&at("temporary")))
    };
    assert_eq!(left(1), left(1));
    assert!((2..30).any(|seed| left(seed) != left(1)));
}

#[test]
fn a_full_disk_takes_a_part() {
    let disk = SimDisk::new(1, Path::new("d"));
    let mut file = disk.create(&at("f")).expect("there is space");
    disk.set_space(10);
    assert_eq!(file.write(&[1; 8]).ok(), Some(8));
    assert_eq!(file.write(&[2; 8]).ok(), Some(2));
    let error = file.write(&[3; 8]).expect_err("it is full");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    disk.set_space(100);
    assert_eq!(file.write(&[4; 8]).ok(), Some(8));
    assert_eq!(disk.len(&at("f")).ok(), Some(Some(18)));
}

#[test]
fn calls_fail_by_number() {
    let disk = SimDisk::new(1, Path::new("d"));
    // 0: create; 1: write; 2: sync; 3: rename.
    disk.fail_at(3, Failure::Device);
    let mut file = disk.create(&at("f")).expect("call 0");
    file.write_all(b"x").expect("call 1");
    file.sync().expect("call 2");
    let error = disk.rename(&at("f"), &at("g")).expect_err("call 3 fails");
    assert_eq!(error.raw_os_error(), Some(5));
    assert!(disk.rename(&at("f"), &at("g")).is_ok());
    assert_eq!(disk.calls(), 5);
    assert!(disk.create(Path::new("nowhere/f")).is_err());
    disk.cut_at(disk.calls());
    assert!(file.write_all(b"y").is_err() && disk.is_off());
    assert!(disk.sync_dir(Path::new("d")).is_err());
    disk.power_off();
    assert!(file.sync().is_err(), "it was open before");
    assert!(disk.sync_dir(Path::new("d")).is_ok());
}

#[test]
fn a_directory_is_a_name_too() {
    let survives = |synced: bool| {
        (0..100).filter(move |seed| {
            let disk = SimDisk::new(*seed, Path::new("d"));
            let dir = at("sub");
            disk.create_dir(&dir).expect("the parent is there");
            let mut file: Box<dyn DiskFile> = disk.create(&dir.join("f")).expect("made");
            file.write_all(b"x")
                .and_then(|()| file.sync())
                .expect("written");
            disk.sync_dir(&dir).expect("made");
            if synced {
                disk.sync_dir(Path::new("d")).expect("made");
            }
            disk.power_off();
            disk.bytes(&dir.join("f")).as_deref() == Some(b"x")
        })
    };
    assert_eq!(survives(true).count(), 100);
    assert!((10..90).contains(&survives(false).count()));
}
