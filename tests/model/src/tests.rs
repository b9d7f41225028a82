// SPDX-License-Identifier: GPL-2.0-only

//! One converter, one reader, one writepages; and what becomes of them when a step is missing.

use loom::thread;
use std::sync::{
    atomic::{AtomicUsize, Ordering},
    Arc,
};

use crate::steps::{Fault, Scene, NEW, OLD};

/// Runs the threads in all orders, and says how many there are.
fn explore(fault: Fault) -> usize {
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = orders.clone();
    loom::model(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let scene = Arc::new(Scene::new(fault).expect("memory"));
        let threads: [fn(&Scene); 2] = [
            |scene| {
                let found = scene.read().expect("the reader finds the value");
                assert!(found == OLD || found == NEW, "nobody wrote {found:#x}");
            },
            |scene| scene.write_back().expect("writeback finds a place"),
        ];
        let threads = threads.map(|act| {
            let scene = scene.clone();
            thread::spawn(move || act(&scene))
        });
        scene.convert().expect("the converter");
        for thread in threads {
            thread.join().expect("a thread");
        }
        scene.check_end().expect("the value is there");
    });
    orders.load(Ordering::Relaxed)
}

#[test]
fn in_no_order_is_a_value_lost_or_made_up() {
    let orders = explore(Fault::None);
    println!("{orders} orders");
    assert!(orders > 100, "only {orders} orders");
}

#[test]
#[should_panic]
fn without_the_second_look_there_is_an_order_that_goes_wrong() {
    explore(Fault::NoSecondLook);
}

#[test]
#[should_panic(expected = "resident where runs are expected")]
fn with_the_hint_before_the_fact_there_is_an_order_that_goes_wrong() {
    explore(Fault::HintFirst);
}

#[test]
#[should_panic(expected = "the hint was wrong twice")]
fn with_the_hint_behind_the_lock_there_is_an_order_that_goes_round() {
    explore(Fault::HintAfterUnlock);
}

#[test]
fn the_second_look_tells_the_fact() {
    loom::model(|| {
        let scene = Scene::new(Fault::None).expect("memory");
        assert!(scene.is_resident().expect("the record"));
        scene.convert().expect("the converter");
        assert!(!scene.is_resident().expect("the record"));
    });
}
