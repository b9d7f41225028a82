// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::runlist`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_runlist))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::runlist::*,
        kunit::fs::disk::plain,
        ondisk::units::{
            ClusterCount,
            Lcn,
            Vcn, //
        },
    };
    use kernel::prelude::*;

    fn clusters(lcn: u64) -> Target {
        Target::Clusters(Lcn::new(lcn))
    }

    fn runlist(runs: &[(Target, u64)]) -> Result<Runlist> {
        let mut runlist = Runlist::new();
        for (target, length) in runs {
            plain(runlist.push(*target, ClusterCount::new(*length)))?;
        }
        Ok(runlist)
    }

    fn at(runlist: &Runlist, vcn: u64) -> Option<(Target, u64)> {
        let extent = runlist.lookup(Vcn::new(vcn))?;
        Some((extent.target, extent.length.get()))
    }

    #[test]
    fn every_vcn_is_found_in_its_run() -> Result {
        let runs = [
            (clusters(100), 3),
            (Target::Hole, 2),
            (clusters(50), 1),
            (clusters(7), 4),
            (Target::Missing, 1),
        ];
        let runlist = runlist(&runs)?;
        let mut vcn = 0;
        for (target, length) in runs {
            for skipped in 0..length {
                let expected = match target {
                    Target::Clusters(lcn) => clusters(lcn.get() + skipped),
                    other => other,
                };
                assert!(at(&runlist, vcn) == Some((expected, length - skipped)));
                vcn += 1;
            }
        }
        assert!(at(&runlist, vcn).is_none());
        assert_eq!(runlist.end(), Vcn::new(vcn));
        Ok(())
    }

    #[test]
    fn neighbours_become_one_run() -> Result {
        let runs = [(clusters(10), 2), (clusters(12), 3), (Target::Hole, 1)];
        let mut runlist = runlist(&runs)?;
        plain(runlist.push(Target::Hole, ClusterCount::new(4)))?;
        assert_eq!(runlist.len(), 2);
        assert!(at(&runlist, 0) == Some((clusters(10), 5)));
        assert!(at(&runlist, 5) == Some((Target::Hole, 5)));
        Ok(())
    }

    #[test]
    fn an_empty_run_or_one_without_a_place_changes_nothing() -> Result {
        let mut runlist = runlist(&[(clusters(1), 1)])?;
        plain(runlist.push(Target::Hole, ClusterCount::ZERO))?;
        plain(runlist.push(Target::Hole, ClusterCount::new(u64::MAX)))?;
        assert_eq!(runlist.end(), Vcn::new(1));
        assert!(Runlist::new().lookup(Vcn::ZERO).is_none());
        Ok(())
    }

    #[test]
    fn what_no_part_describes_is_missing_and_not_a_hole() -> Result {
        let mut runlist = runlist(&[(clusters(1), 1)])?;
        plain(runlist.push_missing_until(Vcn::new(5)))?;
        plain(runlist.push_missing_until(Vcn::new(2)))?;
        assert!(at(&runlist, 1) == Some((Target::Missing, 4)));
        assert_eq!(runlist.end(), Vcn::new(5));
        Ok(())
    }

    /// All runs, as [`runlist`] takes them.
    fn runs(runlist: &Runlist) -> Result<KVec<(Target, u64)>> {
        let mut runs = KVec::new();
        let mut vcn = Vcn::ZERO;
        for run in runlist.extents() {
            assert_eq!(run.vcn, vcn);
            runs.push((run.target, run.length.get()), GFP_KERNEL)?;
            vcn = run.end().ok_or(EINVAL)?;
        }
        assert_eq!(runlist.end(), vcn);
        Ok(runs)
    }

    const MIXED: [(Target, u64); 4] = [
        (Target::Clusters(Lcn::new(100)), 4),
        (Target::Hole, 3),
        (Target::Fresh(Lcn::new(50)), 2),
        (Target::Missing, 1),
    ];

    #[test]
    fn what_is_cut_off_ends_there() -> Result {
        let whole = runlist(&MIXED)?;
        for end in 0..12 {
            let cut = plain(whole.until(Vcn::new(end)))?;
            assert_eq!(cut.end().get(), end.min(10));
            for vcn in 0..end.min(10) {
                let (found, _) = at(&cut, vcn).ok_or(EINVAL)?;
                assert!(Some(found) == at(&whole, vcn).map(|(target, _)| target));
            }
        }
        assert!(
            *runs(&plain(whole.until(Vcn::new(8)))?)?
                == [MIXED[0], MIXED[1], (Target::Fresh(Lcn::new(50)), 1)]
        );
        Ok(())
    }

    #[test]
    fn any_range_is_replaced_and_nothing_else() -> Result {
        let whole = runlist(&MIXED)?;
        for start in 0..13 {
            for length in 1..6 {
                for target in [clusters(7), Target::Hole, Target::Missing] {
                    let (vcn, count) = (Vcn::new(start), ClusterCount::new(length));
                    let changed = plain(whole.replaced(vcn, count, target))?;
                    assert_eq!(changed.end().get(), (start + length).max(10));
                    runs(&changed)?;
                    for vcn in 0..changed.end().get() {
                        let found = at(&changed, vcn).ok_or(EINVAL)?.0;
                        let expected = match target {
                            Target::Clusters(lcn) if (start..start + length).contains(&vcn) => {
                                clusters(lcn.get() + vcn - start)
                            }
                            other if (start..start + length).contains(&vcn) => other,
                            _ => at(&whole, vcn).map_or(Target::Hole, |(target, _)| target),
                        };
                        assert!(found == expected);
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn what_fits_its_neighbours_joins_them() -> Result {
        let whole = runlist(&[(clusters(10), 2), (Target::Hole, 2), (clusters(14), 2)])?;
        let filled = plain(whole.replaced(Vcn::new(2), ClusterCount::new(2), clusters(12)))?;
        assert!(*runs(&filled)? == [(clusters(10), 6)]);
        let vcn = Vcn::new(2);
        assert!(whole.run_at(Vcn::new(3)).map(|run| run.vcn) == Some(vcn));
        assert!(whole.run_at(Vcn::new(6)).is_none());
        // Fresh clusters stay apart from those that a record may tell of.
        let fresh = Target::Fresh(Lcn::new(12));
        let filled = plain(whole.replaced(vcn, ClusterCount::new(2), fresh))?;
        assert_eq!(filled.len(), 3);
        Ok(())
    }

    #[test]
    fn many_runs_are_searched_rightly() -> Result {
        let mut runlist = Runlist::new();
        for run in 0..10_000 {
            plain(runlist.push(
                clusters(1_000_000 - 2 * run),
                ClusterCount::new(1 + run % 3),
            ))?;
        }
        let mut vcn = 0;
        for run in 0..10_000 {
            let length = 1 + run % 3;
            assert!(at(&runlist, vcn) == Some((clusters(1_000_000 - 2 * run), length)));
            vcn += length;
        }
        assert!(at(&runlist, vcn).is_none());
        Ok(())
    }
}
