//! Uniform random picks of ranks, for RANDFIELD, RANDMEMBER and their like.

use std::collections::HashSet;

/// A number below `bound`, from 64 uniform bits.
#[inline]
pub fn below(random: u64, bound: usize) -> usize {
    ((u128::from(random) * bound as u128) >> 64) as usize
}

/// `count` different ranks below `len` (all if there are no more), ascending; every choice is equally likely.
///
/// O(count) where few of many are chosen, else O(len).
pub fn distinct(len: usize, count: usize, mut random: impl FnMut() -> u64) -> Vec<usize> {
    /// Below this share of the ranks, drawing one by one is cheaper than a pass over all.
    const FEW: usize = 8;
    if count >= len {
        return (0..len).collect();
    }
    if count < len / FEW {
        // Floyd's algorithm: one draw for each.
        let mut chosen = HashSet::with_capacity(count);
        for last in len - count..len {
            let rank = below(random(), last + 1);
            if !chosen.insert(rank) {
                chosen.insert(last);
            }
        }
        let mut ranks: Vec<usize> = chosen.into_iter().collect();
        ranks.sort_unstable();
        return ranks;
    }
    // Selection sampling, Knuth volume 2, algorithm S.
    let mut left = count;
    let chosen = |rank: &usize| {
        let chosen = below(random(), len - rank) < left;
        left -= usize::from(chosen);
        chosen
    };
    (0..len).filter(chosen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rank_is_equally_likely() {
        let mut state = 7u64;
        let mut random = || {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d)
        };
        for (len, count) in [(100, 5), (100, 40), (16, 1), (16, 15)] {
            let mut hits = vec![0usize; len];
            let rounds = 20_000;
            for _ in 0..rounds {
                let ranks = distinct(len, count, &mut random);
                assert_eq!(ranks.len(), count);
                assert!(ranks.is_sorted_by(|a, b| a < b));
                ranks.iter().for_each(|rank| hits[*rank] += 1);
            }
            let expected = (rounds * count / len) as f64;
            let chi: f64 = hits
                .iter()
                .map(|hit| (*hit as f64 - expected).powi(2) / expected)
                .sum();
            // Far beyond the 99.9th percentile of chi-square with len - 1 degrees.
            assert!(chi < len as f64 * 2.0 + 30.0, "{len} {count}: {chi}");
        }
        assert_eq!(distinct(3, 9, random), [0, 1, 2]);
    }
}
