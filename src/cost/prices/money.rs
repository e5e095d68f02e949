//! Exact money: decimals from text, and one rounding at the very end.

use rust_decimal::Decimal;

/// Decimal places of a list cost.
pub const COST_SCALE: u32 = 6;

/// Reads a decimal that is neither negative nor longer than 28 digits; also AWS's `1E-7`. Never by way of a float.
pub fn decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let number = Decimal::from_str_exact(text).or_else(|error| match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(text),
        false => Err(error),
    });
    number.ok().filter(|number| !number.is_sign_negative() || number.is_zero())
}

/// Returns bytes ÷ bytes per GB × rate × ends, rounded half-even to six decimals; always with six, also when written out.
///
/// Exact: numerator and denominator are kept as integers, up to 256 bits, and divided once. `None` if the cost does not fit
/// a [`Decimal`], or for 0 bytes per GB.
pub fn list_cost(bytes: u128, bytes_per_gb: u64, rate: Decimal, ends: u32) -> Option<Decimal> {
    let rate = rate.normalize();
    // cost × 10^6 = bytes × ends × mantissa × 10^6 ÷ (bytes per GB × 10^scale)
    let amount = bytes.checked_mul(ends.into())?;
    let price = rate.mantissa().unsigned_abs().checked_mul(10_u128.pow(COST_SCALE.saturating_sub(rate.scale())))?;
    let whole = u128::from(bytes_per_gb).checked_mul(10_u128.checked_pow(rate.scale().saturating_sub(COST_SCALE))?)?;
    let cost = i128::try_from(divide(multiply(amount, price), whole)?).ok()?;
    Decimal::try_from_i128_with_scale(if rate.is_sign_negative() { -cost } else { cost }, COST_SCALE).ok()
}

/// Returns the product as upper and lower half.
fn multiply(left: u128, right: u128) -> (u128, u128) {
    const HALF: u32 = 64;
    let low = |number: u128| number & u128::from(u64::MAX);
    let (a, b, c, d) = (left >> HALF, low(left), right >> HALF, low(right));
    let (ad, bc, bd) = (a * d, b * c, b * d);
    let middle = (bd >> HALF) + low(ad) + low(bc);
    (a * c + (ad >> HALF) + (bc >> HALF) + (middle >> HALF), (middle << HALF) | low(bd))
}

/// Divides, rounding half to even; `None` if the quotient has more than 128 bits.
fn divide((high, low): (u128, u128), by: u128) -> Option<u128> {
    if high >= by {
        return None;
    }
    if high == 0 {
        return Some(rounded(low / by, low % by, by));
    }
    // Long division, bit by bit; a rest that lost its top bit is larger than the divisor for certain.
    let (mut rest, mut quotient) = (high, 0_u128);
    for bit in (0..u128::BITS).rev() {
        let carry = rest >> (u128::BITS - 1) == 1;
        rest = (rest << 1) | ((low >> bit) & 1);
        quotient <<= 1;
        if carry || rest >= by {
            rest = rest.wrapping_sub(by);
            quotient |= 1;
        }
    }
    Some(rounded(quotient, rest, by))
}

fn rounded(quotient: u128, rest: u128, by: u128) -> u128 {
    let up = match rest.cmp(&(by - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient & 1 == 1,
        std::cmp::Ordering::Greater => true,
    };
    quotient.saturating_add(up.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GIB: u64 = 1 << 30;

    fn cost(bytes: u128, rate: &str, ends: u32) -> String {
        list_cost(bytes, GIB, decimal(rate).unwrap(), ends).unwrap().to_string()
    }

    #[test]
    fn decimals_are_read_exactly() {
        assert_eq!(decimal("0.0450000000").unwrap().to_string(), "0.0450000000");
        assert_eq!(decimal(" 1E-7 ").unwrap().to_string(), "0.0000001");
        assert_eq!(decimal("0").unwrap(), Decimal::ZERO);
        for wrong in [
            "",
            "-0.01",
            "Inf",
            "NaN",
            "0,045",
            "$0.045",
            "0.045 USD",
            "0.00000000000000000000000000001",
            "1e999999999",
            "1e99999999999999999999",
            "9e28",
        ] {
            assert_eq!(decimal(wrong), None, "{wrong}");
        }
    }

    /// By Python: `(Decimal(b) * Decimal(r) * e / (1 << 30)).quantize(Decimal('1e-6'), ROUND_HALF_EVEN)` with 200 digits.
    #[test]
    fn costs_as_python_has_them() {
        assert_eq!(cost(10 * u128::from(GIB), "0.01", 2), "0.200000");
        assert_eq!(cost(110 * u128::from(GIB), "0.045", 1), "4.950000");
        assert_eq!(cost(0, "0.045", 1), "0.000000");
        assert_eq!(cost(1, "0.045", 0), "0.000000");
        assert_eq!(cost(123_456_789_012_345, "0.0117", 2), "2690.487414");
        assert_eq!(cost(u128::from(u64::MAX), "0.0000000001", 1), "1.717987");
        assert_eq!(cost(u128::from(u64::MAX), "0.093", 2), "3195455668.224000");
        // 2^30 bytes at 0.0000005 is half a millionth: to even, and the next half as well.
        assert_eq!(cost(GIB.into(), "0.0000005", 1), "0.000000");
        assert_eq!(cost(GIB.into(), "0.0000005", 3), "0.000002");
        assert_eq!(cost(u128::from(GIB) + 1, "0.0000005", 1), "0.000001");
        assert_eq!(cost(u128::from(GIB) - 1, "0.0000005", 1), "0.000000");
        // Wide numerators: 256 bits, none of them lost.
        assert_eq!(cost(1 << 90, "0.1234567890123456789012", 1), "142335986942043633.765485");
        assert_eq!(list_cost(1, 0, Decimal::ONE, 1), None);
        assert_eq!(list_cost(u128::MAX, 1, Decimal::ONE, 1), None);
    }

    proptest! {
        /// The quotient is the nearest integer, and the even one of two that are as near.
        #[test]
        fn division_is_right(quotient in 0..u128::MAX / 4, by in 1..u128::MAX / 4, rest in any::<u128>()) {
            let rest = rest % by;
            let (high, low) = multiply(quotient, by);
            let (low, carry) = low.overflowing_add(rest);
            let up = rest * 2 > by || rest * 2 == by && quotient % 2 == 1;
            prop_assert_eq!(divide((high + u128::from(carry), low), by), Some(quotient + u128::from(up)));
        }

        /// Decimal's own arithmetic agrees wherever its digits suffice.
        #[test]
        fn costs_agree_with_decimal(gib in 0..1_000_000_u64, mantissa in 0..1_000_000_i64, scale in 0..8_u32, ends in 0..3_u32) {
            let rate = Decimal::new(mantissa, scale);
            let expected = (Decimal::from(gib) * rate * Decimal::from(ends)).round_dp(COST_SCALE);
            prop_assert_eq!(list_cost(u128::from(gib) << 30, GIB, rate, ends), Some(expected));
        }
    }
}
