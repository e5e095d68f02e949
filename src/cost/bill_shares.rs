//! Dollars of a bill, divided among owners by their bytes so that the parts add up to the last digit.
//!
//! The method of largest remainders: everyone gets the whole units of their share, and the units left over go to the largest
//! fractions. Integers only.

use rust_decimal::Decimal;

/// Owner of what no record explains.
pub const UNEXPLAINED: &str = "(unexplained)";
/// Decimals of a part: micro-dollars. A cost with more decimals is divided in units of its own last one.
const PART_DECIMALS: u32 = 6;
/// Decimals that are kept of a weight: a byte, in GB.
const WEIGHT_DECIMALS: u32 = 9;
/// Bits of the sum of all weights: twice as much still fits into an `u128`.
const SUM_BITS: u32 = 127;

/// Divides a billed cost by weights (bytes, or quantities in the bill's unit), `unexplained` being the weight of
/// [`UNEXPLAINED`]. The parts, in the order of `weights`, add up to the cost exactly.
///
/// A weight below zero counts as zero. [`UNEXPLAINED`] comes last if it has a weight, or if nothing else has.
pub fn allocate(billed_cost: Decimal, weights: &[(String, Decimal)], unexplained: Decimal) -> Vec<(String, Decimal)> {
    let mut owners: Vec<&str> = weights.iter().map(|(owner, _)| owner.as_str()).collect();
    let mut shares: Vec<u128> = weights.iter().map(|(_, weight)| integer(*weight)).collect();
    let rest = integer(unexplained);
    if rest > 0 || shares.iter().all(|share| *share == 0) {
        owners.push(UNEXPLAINED);
        shares.push(rest.max(u128::from(shares.iter().all(|share| *share == 0))));
    }
    let decimals = billed_cost.scale().max(PART_DECIMALS);
    let (units, decimals) = match units_of(billed_cost, decimals) {
        Some(units) => (units, decimals),
        None => (billed_cost.mantissa(), billed_cost.scale()),
    };
    let parts = divide(units.unsigned_abs(), &mut shares);
    let part = |part: u128| Decimal::try_from_i128_with_scale(part as i128 * units.signum(), decimals).unwrap_or_default();
    owners.into_iter().zip(parts).map(|(owner, units)| (owner.to_owned(), part(units))).collect()
}

/// The cost in units of the given decimal; `None` if that has too many digits for a part to be shown.
fn units_of(cost: Decimal, decimals: u32) -> Option<i128> {
    let units = cost.mantissa().checked_mul(10i128.checked_pow(decimals - cost.scale())?)?;
    Decimal::try_from_i128_with_scale(units, decimals).ok().map(|_| units)
}

/// A weight as an integer; all in one scale.
fn integer(weight: Decimal) -> u128 {
    let weight = weight.max(Decimal::ZERO).round_dp(WEIGHT_DECIMALS);
    // 2^96 × 10^9 < 2^127.
    weight.mantissa().unsigned_abs() * 10u128.pow(WEIGHT_DECIMALS - weight.scale())
}

/// Divides units by shares; at least one share is not zero.
fn divide(units: u128, shares: &mut [u128]) -> Vec<u128> {
    // The sum of all shares must fit: where it would not, low bits give way, the same number in each.
    let bits = |number: u128| u128::BITS - number.leading_zeros();
    let widest = shares.iter().copied().max().map_or(0, bits);
    let shift = (widest + bits(shares.len() as u128)).saturating_sub(SUM_BITS);
    shares.iter_mut().for_each(|share| *share >>= shift);
    let all: u128 = shares.iter().sum();
    let (mut parts, remainders): (Vec<u128>, Vec<u128>) = shares.iter().map(|&share| part_of(units, share, all)).unzip();
    let mut by_remainder: Vec<usize> = (0..parts.len()).collect();
    by_remainder.sort_by_key(|&at| std::cmp::Reverse(remainders[at]));
    let left = units - parts.iter().sum::<u128>();
    for &at in by_remainder.iter().take(left as usize) {
        parts[at] += 1;
    }
    parts
}

/// Returns `units × share ÷ all` and the remainder, bit by bit: the product may need 256 bits. `share <= all < 2^127`.
fn part_of(units: u128, share: u128, all: u128) -> (u128, u128) {
    let (mut quotient, mut remainder) = (0, 0);
    for bit in (0..u128::BITS - units.leading_zeros()).rev() {
        (quotient, remainder) = (quotient * 2, remainder * 2);
        for addend in [0, share * (units >> bit & 1)] {
            remainder += addend;
            if remainder >= all {
                remainder -= all;
                quotient += 1;
            }
        }
    }
    (quotient, remainder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dec(text: &str) -> Decimal {
        crate::cost::bill_rows::decimal(text).unwrap()
    }

    fn check(cost: &str, weights: &[(&str, i64)], unexplained: i64, want: &[(&str, &str)]) {
        let weights: Vec<(String, Decimal)> = weights.iter().map(|(owner, weight)| ((*owner).to_owned(), (*weight).into())).collect();
        let parts = allocate(dec(cost), &weights, unexplained.into());
        let shown: Vec<(String, String)> = parts.iter().map(|(owner, part)| (owner.clone(), part.to_string())).collect();
        let want: Vec<(String, String)> = want.iter().map(|(owner, part)| ((*owner).to_owned(), (*part).to_owned())).collect();
        assert_eq!(shown, want);
    }

    #[test]
    fn parts_by_hand() {
        check("1", &[("a", 1), ("b", 1), ("c", 1)], 0, &[("a", "0.333334"), ("b", "0.333333"), ("c", "0.333333")]);
        check("0.000002", &[("a", 1), ("b", 1), ("c", 2)], 0, &[("a", "0.000001"), ("b", "0.000000"), ("c", "0.000001")]);
        check("10.00", &[("a", 60), ("b", 20)], 20, &[("a", "6.000000"), ("b", "2.000000"), (UNEXPLAINED, "2.000000")]);
        check("0.0000000123", &[("a", 1), ("b", 2)], 0, &[("a", "0.0000000041"), ("b", "0.0000000082")]);
        check("-3", &[("a", 2), ("b", 1)], 0, &[("a", "-2.000000"), ("b", "-1.000000")]);
        check("5", &[("a", 0)], 0, &[("a", "0.000000"), (UNEXPLAINED, "5.000000")]);
        check("5", &[], 0, &[(UNEXPLAINED, "5.000000")]);
        check("0", &[("a", 1)], 0, &[("a", "0.000000")]);
    }

    #[test]
    fn large_figures_do_not_overflow() {
        let most = Decimal::MAX;
        for (cost, weight) in
            [(most, most), (dec("0.0000000000000000000000000001"), most), (most, dec("0.000000001")), (most, Decimal::ONE)]
        {
            let parts = allocate(cost, &[("a".to_owned(), weight), ("b".to_owned(), weight)], Decimal::ZERO);
            assert_eq!(parts.iter().map(|(_, part)| *part).sum::<Decimal>(), cost);
        }
    }

    proptest! {
        #[test]
        fn parts_add_up(mantissa in -10i64.pow(15)..10i64.pow(15), scale in 0u32..12, weights in proptest::collection::vec(any::<u64>(), 0..40), rest in any::<u64>()) {
            let cost = Decimal::new(mantissa, scale);
            let named: Vec<(String, Decimal)> = weights.iter().enumerate().map(|(at, weight)| (at.to_string(), (*weight).into())).collect();
            let parts = allocate(cost, &named, rest.into());
            prop_assert_eq!(parts.iter().map(|(_, part)| *part).sum::<Decimal>(), cost);
            // Nobody is further than one unit from their exact share.
            let all: u128 = weights.iter().map(|weight| u128::from(*weight)).sum::<u128>() + u128::from(rest);
            let unit = Decimal::new(1, scale.max(6));
            for ((_, part), weight) in parts.iter().zip(&weights).filter(|_| all > 0) {
                let exact = cost * (Decimal::from(*weight) / Decimal::from(all));
                prop_assert!((*part - exact).abs() <= unit, "{} of {}", part, exact);
            }
        }
    }
}
