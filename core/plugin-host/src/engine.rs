//! wasmtime's settings: the same for the host and for whoever compiles for it.

use crate::limits::LARGEST_MEMORY;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Calls that run at a time; the pool holds a memory for each. More wait, by their deadline.
pub(crate) const CONCURRENT_CALLS: u32 = 64;

const STACK: usize = 512 << 10;
const FIBER: usize = 1 << 20;
/// A guest of Python or Go consists of many small modules.
const MODULES: u32 = 32;
/// Kept in memory between calls rather than given back to the kernel: what a small plugin touches.
const KEPT: usize = 64 << 10;

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
        .linear_memory_keep_resident(KEPT)
        .table_keep_resident(4 << 10)
        .max_unused_warm_slots(CONCURRENT_CALLS);
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        .async_stack_size(FIBER)
        .memory_reservation(LARGEST_MEMORY)
        .memory_guard_size(64 << 10)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}
