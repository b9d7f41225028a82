// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::cache`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_cache))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::cache::*,
        kunit::fs::disk::plain, //
    };
    use kernel::{
        prelude::*,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            },
            Arc,
            Completion, //
        },
        workqueue,
    };

    type Numbers = Cache<u64, Atomic<u64>>;

    impl Cached for Atomic<u64> {}

    fn numbers(limit: usize) -> Result<Pin<KBox<Numbers>>> {
        KBox::pin_init(Cache::new(limit), GFP_KERNEL)
    }

    fn get(cache: &Numbers, key: u64) -> Result<Handle<Atomic<u64>>> {
        plain(cache.get_or_insert(key, || Atomic::new(key)))
    }

    #[test]
    fn the_same_key_gives_the_same_object() -> Result {
        let cache = numbers(10)?;
        get(&cache, 7)?.store(42, Relaxed);
        assert_eq!(get(&cache, 7)?.load(Relaxed), 42);
        assert!(cache.get(8).is_none());
        assert_eq!(cache.count(), 1);
        Ok(())
    }

    #[test]
    fn an_object_in_use_is_not_thrown_out() -> Result {
        let cache = numbers(10)?;
        let used = get(&cache, 1)?;
        for key in 2..6 {
            get(&cache, key)?;
        }
        cache.scan(100);
        cache.scan(100);
        assert_eq!(cache.count(), 1);
        used.store(9, Relaxed);
        assert_eq!(get(&cache, 1)?.load(Relaxed), 9);
        drop(used);
        cache.scan(100);
        cache.scan(100);
        assert_eq!(cache.count(), 0);
        Ok(())
    }

    #[test]
    fn the_cache_stays_near_its_limit() -> Result {
        let cache = numbers(16)?;
        for key in 0..1000 {
            get(&cache, key * 7919 % 1000)?;
            assert!(cache.count() <= 20);
        }
        assert!(cache.count() >= 8);
        Ok(())
    }

    #[test]
    fn a_scan_frees_no_more_than_it_is_asked_for() -> Result {
        let cache = numbers(100)?;
        for key in 0..50 {
            get(&cache, key)?;
        }
        // The first turn takes the second chances.
        cache.scan(50);
        let before = cache.count();
        let freed = cache.scan(5);
        assert!(freed <= 5);
        assert_eq!(cache.count(), before - freed);
        Ok(())
    }

    #[pin_data]
    struct Shared {
        #[pin]
        cache: Numbers,
        #[pin]
        done: Completion,
        running: Atomic<u32>,
        failed: Atomic<bool>,
    }

    #[test]
    fn threads_that_insert_and_shrink_meet_one_object_for_each_key() -> Result {
        const THREADS: u32 = 4;
        let shared = Arc::pin_init(
            pin_init!(Shared {
                cache <- Cache::new(8),
                done <- Completion::new(),
                running: Atomic::new(THREADS),
                failed: Atomic::new(false),
            }),
            GFP_KERNEL,
        )?;
        for thread in 0..THREADS {
            let shared = shared.clone();
            workqueue::system().try_spawn(GFP_KERNEL, move || {
                for turn in 0..500_u64 {
                    let key = (turn * 31 + u64::from(thread)) % 24;
                    let Ok(first) = shared.cache.get_or_insert(key, || Atomic::new(0)) else {
                        shared.failed.store(true, Relaxed);
                        break;
                    };
                    first.fetch_add(1, Relaxed);
                    shared.cache.scan(3);
                    // While there is a handle, the object is the same one.
                    let Some(again) = shared.cache.get(key) else {
                        shared.failed.store(true, Relaxed);
                        break;
                    };
                    if !core::ptr::eq(&*first, &*again) {
                        shared.failed.store(true, Relaxed);
                    }
                }
                if shared.running.fetch_sub(1, Relaxed) == 1 {
                    shared.done.complete_all();
                }
            })?;
        }
        shared.done.wait_for_completion();
        assert!(!shared.failed.load(Relaxed));
        Ok(())
    }
}
