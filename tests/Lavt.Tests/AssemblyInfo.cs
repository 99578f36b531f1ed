using Xunit;

// Kernels use all cores by themselves, and some tests look at process-wide counters of memory.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
