// What the matrix products share: their arguments and what becomes of a sum.
#pragma once
#include "Activation.cuh"
#include "HalfType.cuh"

// The launcher says if A is stored in the type that it is rounded to, and if C is to be.
#ifndef LEFT
#define LEFT float
#endif
#ifndef RESULT
#define RESULT float
#endif

// C[m, n] = activation(A[m, k] B[k, n] + bias) + residual (+ old C); element (i, j) of an operand lies at i row + j column.
struct Product
{
    const LEFT* a;
    i64 aRow, aColumn;
    const float* b;
    i64 bRow, bColumn;
    RESULT* c;
    i64 cRow;
    const float* bias;         // one number per column, or null
    const float* residual;     // or null
    i64 residualRow;
    float* preActivation;      // receives the sum with its bias, or null
    int m, n, k, activation, accumulate;
};

DEVICE float elementOfA(const Product& p, int i, int j) { return i < p.m && j < p.k ? toFloat(p.a[i * p.aRow + j * p.aColumn]) : 0.f; }
DEVICE float elementOfB(const Product& p, int i, int j) { return i < p.k && j < p.n ? p.b[i * p.bRow + j * p.bColumn] : 0.f; }

DEVICE float activateAs(int activation, float x)
{
    switch (activation)
    {
        case Relu: return activate<Relu>(x);
        case Gelu: return activate<Gelu>(x);
        case Tanh: return activate<Tanh>(x);
        case Sigmoid: return activate<Sigmoid>(x);
        default: return x;
    }
}

// Finishes and stores one element of C, if it lies within.
DEVICE void finish(const Product& p, int i, int j, float sum)
{
    if (i >= p.m || j >= p.n) return;
    RESULT* c = p.c + i * p.cRow + j;
    if (p.bias) sum += p.bias[j];
    if (p.preActivation) p.preActivation[i * p.cRow + j] = sum;
    sum = activateAs(p.activation, sum);
    if (p.residual) sum += p.residual[i * p.residualRow + j];
    store(*c, p.accumulate ? toFloat(*c) + sum : sum);
}
