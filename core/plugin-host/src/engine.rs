//! wasmtime's settings: the same for the host and for whoever compiles for it.

use crate::{compiled, limits::LARGEST_MEMORY};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Calls that run at a time; the pool holds a memory for each. More wait, by their deadline.
pub(crate) const CONCURRENT_CALLS: u32 = 64;

const STACK: usize = 512 << 10;
const FIBER: usize = 1 << 20;
/// A guest of Python or Go consists of many small modules.
const MODULES: u32 = 32;
/// Kept in memory between calls rather than given back to the kernel, of a memory that a call has used: where the kernel
/// says which pages were written (`PAGEMAP_SCAN`, Linux 6.7), those are written again, and that is all that a plugin with
/// an interpreter touches; elsewhere the whole of it is written, and it is what a small plugin touches.
const KEPT_WRITTEN: usize = 8 << 20;
const KEPT: usize = 64 << 10;
/// Memories that no call uses and that are kept so.
const WARM: u32 = 32;

/// Whether the kernel says which pages were written. The first time that this is asked decides it for the process: it
/// opens `/proc/self/pagemap`.
pub(crate) fn written_pages_are_known() -> bool {
    PoolingAllocationConfig::is_pagemap_scan_available()
}

/// An engine with the host's settings.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    let largest = usize::try_from(LARGEST_MEMORY).unwrap_or(usize::MAX);
    pool.total_component_instances(CONCURRENT_CALLS)
        .total_core_instances(CONCURRENT_CALLS * MODULES)
        .total_memories(CONCURRENT_CALLS * 2)
        .total_tables(CONCURRENT_CALLS * 8)
        .total_stacks(CONCURRENT_CALLS)
        .max_memory_size(largest)
        .max_core_instances_per_component(MODULES)
        .max_memories_per_component(2)
        .max_tables_per_component(8)
        .table_elements(20_000)
        .linear_memory_keep_resident(if written_pages_are_known() { KEPT_WRITTEN } else { KEPT })
        .pagemap_scan(Enabled::Auto)
        .table_keep_resident(4 << 10)
        .max_unused_warm_slots(WARM);
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        .async_stack_size(FIBER)
        .memory_reservation(LARGEST_MEMORY)
        .memory_guard_size(64 << 10)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    compiled::publish_mapped(&mut config);
    Engine::new(&config)
}
