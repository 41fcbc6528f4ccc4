// The kernels over V, the vector of 16 floats that the including file defines, and their table.
// Included once for each instruction set; every function here is static.

#include "elements.h"
#include "layout.h"
#include "products.h"
#include "attention.h"
#include "rows.h"
#include "head.h"

const ForageKernels TABLE = {
    .name = TABLE_NAME,
    .linear = linear,
    .pack = pack,
    .layPanels = layPanels,
    .layRows = layRows,
    .addRows = addRows,
    .product = product,
    .attend = attend,
    .probabilities = probabilities,
    .panels = panels,
    .softmaxBackward = softmaxBackward,
    .rmsNorm = rmsNorm,
    .rmsNormBackward = rmsNormBackward,
    .rope = rope,
    .swiglu = swiglu,
    .swigluBackward = swigluBackward,
    .add = add,
    .exponential = exponential,
    .headStatistics = headStatistics,
    .headExponentials = headExponentials,
    .headSlopes = headSlopes,
    .adamW = adamW,
    .sumOfSquares = sumOfSquares,
};
