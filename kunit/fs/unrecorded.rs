// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::unrecorded`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_unrecorded))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::fs::unrecorded::*;
    use kernel::prelude::*;

    fn span(start: u64, end: u64) -> ByteSpan {
        ByteSpan { start, end }
    }

    /// Adds a transfer where nothing is fresh; gives the whole range and the mark.
    fn add(unrecorded: &mut Unrecorded, start: u64, end: u64) -> (ByteSpan, u64) {
        let whole = unrecorded.add(span(start, end), |_| false);
        (whole, unrecorded.settled())
    }

    #[test]
    fn transfers_in_any_order_move_the_mark_when_the_gap_closes() -> Result {
        let cases = [
            [(0, 10, 10), (10, 20, 20), (20, 30, 30)],
            [(20, 30, 0), (10, 20, 0), (0, 10, 30)],
            [(10, 20, 0), (0, 10, 20), (20, 30, 30)],
            [(10, 20, 0), (20, 30, 0), (0, 10, 30)],
            [(0, 10, 10), (20, 30, 10), (5, 25, 30)],
        ];
        for case in cases {
            let mut unrecorded = Unrecorded::new(0);
            for (start, end, mark) in case {
                assert_eq!(add(&mut unrecorded, start, end).1, mark);
            }
            assert!(!unrecorded.has_forgotten());
        }
        Ok(())
    }

    #[test]
    fn a_range_is_told_with_all_that_touches_it() -> Result {
        let mut unrecorded = Unrecorded::new(0);
        assert_eq!(add(&mut unrecorded, 10, 20), (span(10, 20), 0));
        assert_eq!(add(&mut unrecorded, 40, 50), (span(40, 50), 0));
        assert_eq!(add(&mut unrecorded, 30, 40), (span(30, 50), 0));
        assert_eq!(add(&mut unrecorded, 20, 30), (span(10, 50), 0));
        assert_eq!(add(&mut unrecorded, 60, 70), (span(60, 70), 0));
        assert_eq!(add(&mut unrecorded, 5, 65), (span(5, 70), 0));
        assert!(unrecorded.done() == [span(5, 70)]);
        Ok(())
    }

    #[test]
    fn below_the_mark_only_what_is_fresh_is_remembered() -> Result {
        let mut unrecorded = Unrecorded::new(100);
        let fresh = |span: ByteSpan| span.start >= 40;
        assert_eq!(unrecorded.add(span(10, 20), fresh), span(10, 20));
        assert_eq!(unrecorded.add(span(40, 50), fresh), span(40, 50));
        assert_eq!(unrecorded.add(span(60, 70), fresh), span(60, 70));
        assert!(unrecorded.done() == [span(40, 50), span(60, 70)]);
        assert_eq!(unrecorded.add(span(50, 60), fresh), span(40, 70));
        assert_eq!(unrecorded.settled(), 100);
        Ok(())
    }

    #[test]
    fn a_hole_has_nothing_to_wait_for() -> Result {
        let mut unrecorded = Unrecorded::new(10);
        add(&mut unrecorded, 30, 40);
        unrecorded.skip_hole(5);
        assert_eq!(unrecorded.settled(), 10);
        unrecorded.skip_hole(30);
        assert_eq!(unrecorded.settled(), 40);
        Ok(())
    }

    #[test]
    fn what_was_waited_for_is_there() -> Result {
        let mut unrecorded = Unrecorded::new(0);
        add(&mut unrecorded, 50, 60);
        unrecorded.settle(55);
        assert_eq!(unrecorded.settled(), 60);
        unrecorded.settle(20);
        assert_eq!(unrecorded.settled(), 60);
        Ok(())
    }

    #[test]
    fn what_is_taken_away_is_forgotten() -> Result {
        let mut unrecorded = Unrecorded::new(0);
        add(&mut unrecorded, 10, 40);
        add(&mut unrecorded, 50, 60);
        let cases: [(ByteSpan, &[ByteSpan]); 5] = [
            (span(0, 100), &[]),
            (span(20, 30), &[span(10, 20), span(30, 40), span(50, 60)]),
            (span(30, 55), &[span(10, 30), span(55, 60)]),
            (span(40, 50), &[span(10, 40), span(50, 60)]),
            (span(15, u64::MAX), &[span(10, 15)]),
        ];
        for (gone, expected) in cases {
            assert!(*unrecorded.without(gone)? == *expected);
        }
        let left = unrecorded.without(span(15, u64::MAX))?;
        unrecorded.cut(15, left);
        assert_eq!(add(&mut unrecorded, 0, 10), (span(0, 15), 15));
        unrecorded.replace(7);
        assert!(unrecorded.settled() == 7 && unrecorded.done().is_empty());
        Ok(())
    }
}
