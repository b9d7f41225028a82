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
