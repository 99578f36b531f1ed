// What a ring of GPUs adds: the numbers of this one and those that came from its neighbour.
#include "Common.cuh"

template <typename T> DEVICE void add(T* own, const T* theirs, i64 n)
{
    for (i64 i = globalThread(); i < n; i += globalThreads()) own[i] += theirs[i];
}

extern "C" __global__ void __launch_bounds__(256) peer_sum_float(float* own, const float* theirs, i64 n) { add(own, theirs, n); }

extern "C" __global__ void __launch_bounds__(256) peer_sum_double(double* own, const double* theirs, i64 n) { add(own, theirs, n); }
