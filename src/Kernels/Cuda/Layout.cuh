// How arrays of any strides are walked.
#pragma once
#include "Types.cuh"

#define MOST_AXES 8

// As Lavt.Kernels.Cpu.Layout: extents and strides in elements, outermost axis first; stride 0 repeats an axis.
struct Layout
{
    int rank;
    i64 extents[MOST_AXES];
    i64 strides[MOST_AXES];
};

DEVICE i64 offsetOf(const Layout& layout, i64 index)
{
    i64 offset = 0;
    for (int axis = layout.rank - 1; axis >= 0; axis--)
    {
        offset += index % layout.extents[axis] * layout.strides[axis];
        index /= layout.extents[axis];
    }
    return offset;
}
