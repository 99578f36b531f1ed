// clang's headers include this file of the CUDA toolkit; it has to be there.
