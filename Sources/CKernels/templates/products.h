// Products. A tile is TILE_ROWS rows by some vectors of outputs held in registers while k runs.
//
// Why not BLAS forward: a row of cblas_sgemm depends on how many rows share the call. Here each
// output is one chain of fused multiply-adds over ascending k, whatever tile it falls in: where k
// is cut into blocks to stay in the first-level cache, the chain is stored and taken up again.

enum { START_ZERO = 0, START_STORED = 1 };

typedef struct {
  float *c;
  long cRow;
  const float *a;
  long aRow, aStep;
  const float *b;    // panels: b[(v / 2) * panel + k * 32 + (v % 2) * 16]
  long panel;        // floats from one panel to the next
  long depth;
  long columns;      // valid columns from c on; the rest is padding
  int start;         // START_ZERO, or go on from what c holds
  int addStored;     // add what c holds at the end
  const float *bias; // added at the end, or null
} Product;

ALWAYS void tile(const int rows, const int vectors, const Product *o) {
  V sum[TILE_ROWS][8];
  const long cRow = o->cRow, aRow = o->aRow, aStep = o->aStep, depth = o->depth;
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
      sum[r][v] = o->start == START_ZERO ? vSet(0.0f)
                                         : take(o->c + r * cRow + v * 16, o->columns - v * 16);
    }
  }
  const float *b[4];
#pragma clang loop unroll(full)
  for (int v = 0; v < (vectors + 1) / 2; v++) b[v] = o->b + v * o->panel;
  const float *a = o->a;

#define TILE_STEP(address)                                                           \
  V w[8];                                                                            \
  _Pragma("clang loop unroll(full)") for (int v = 0; v < vectors; v++) {             \
    w[v] = vLoad(b[v / 2] + k * FORAGE_PANEL + (v % 2) * 16);                        \
  }                                                                                  \
  _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++) {                \
    V x = vSet(address);                                                             \
    _Pragma("clang loop unroll(full)") for (int v = 0; v < vectors; v++) {           \
      sum[r][v] = vFma(x, w[v], sum[r][v]);                                          \
    }                                                                                \
  }

  if (aStep == 1) {
    for (long k = 0; k < depth; k++) {
      TILE_STEP(a[r * aRow + k])
    }
  } else if (aRow == 1) {
    for (long k = 0; k < depth; k++) {
      TILE_STEP(a[k * aStep + r])
    }
  } else {
    for (long k = 0; k < depth; k++) {
      TILE_STEP(a[k * aStep + r * aRow])
    }
  }
#undef TILE_STEP

#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
      const long n = o->columns - v * 16;
      float *c = o->c + r * cRow + v * 16;
      V x = sum[r][v];
      if (o->addStored) x = vAdd(take(c, n), x);
      if (o->bias) x = vAdd(x, take(o->bias + v * 16, n));
      give(c, x, n);
    }
  }
}

typedef void (*Tile)(const Product *);

#define DEFINE_TILE(rows, vectors) \
  static void tile##rows##x##vectors(const Product *o) { tile(rows, vectors, o); }

// Indexed by rows - 1 and by the logarithm of vectors; null where the registers do not suffice.
#if TILE_ROWS == 12
// clang-format off
#define FEW(r) DEFINE_TILE(r, 1) DEFINE_TILE(r, 2)
#define MORE(r) FEW(r) DEFINE_TILE(r, 4)
#define MOST(r) MORE(r) DEFINE_TILE(r, 8)
MOST(1) MOST(2) MOST(3) MORE(4) MORE(5) MORE(6) FEW(7) FEW(8) FEW(9) FEW(10) FEW(11) FEW(12)
// clang-format on
static const Tile tiles[TILE_ROWS][4] = {
    {tile1x1, tile1x2, tile1x4, tile1x8}, {tile2x1, tile2x2, tile2x4, tile2x8},
    {tile3x1, tile3x2, tile3x4, tile3x8}, {tile4x1, tile4x2, tile4x4, 0},
    {tile5x1, tile5x2, tile5x4, 0},       {tile6x1, tile6x2, tile6x4, 0},
    {tile7x1, tile7x2, 0, 0},             {tile8x1, tile8x2, 0, 0},
    {tile9x1, tile9x2, 0, 0},             {tile10x1, tile10x2, 0, 0},
    {tile11x1, tile11x2, 0, 0},           {tile12x1, tile12x2, 0, 0}};
#elif TILE_ROWS == 6
// clang-format off
#define FEW(r) DEFINE_TILE(r, 1)
#define MORE(r) FEW(r) DEFINE_TILE(r, 2)
#define MOST(r) MORE(r) DEFINE_TILE(r, 4)
MOST(1) MORE(2) MORE(3) FEW(4) FEW(5) FEW(6)
// clang-format on
static const Tile tiles[TILE_ROWS][4] = {
    {tile1x1, tile1x2, tile1x4, 0}, {tile2x1, tile2x2, 0, 0}, {tile3x1, tile3x2, 0, 0},
    {tile4x1, 0, 0, 0},             {tile5x1, 0, 0, 0},       {tile6x1, 0, 0, 0}};
#else
// clang-format off
DEFINE_TILE(1, 1) DEFINE_TILE(1, 2) DEFINE_TILE(2, 1)
// clang-format on
static const Tile tiles[TILE_ROWS][4] = {{tile1x1, tile1x2, 0, 0}, {tile2x1, 0, 0, 0}};
#endif

// Runs tiles over `rows` rows and `vectors` vectors of outputs. Tiles of nearly equal heights, so
// that no last tile of one row wastes the registers.
static void sweep(Product o, long rows, long vectors) {
  const long count = (rows + TILE_ROWS - 1) / TILE_ROWS;
  const long tallest = (rows + count - 1) / count;
  float *c = o.c;
  const float *a = o.a, *b = o.b, *bias = o.bias;
  const long columns = o.columns;
  for (long v = 0; v < vectors;) {
    int log = 3;
    while (log > 0 && (v + (1 << log) > vectors || !tiles[tallest - 1][log])) log--;
    o.b = b + (v / 2) * o.panel + (v % 2) * 16;
    o.bias = bias ? bias + v * 16 : 0;
    o.columns = columns - v * 16;
    for (long t = 0; t < count; t++) {
      const long first = rows * t / count, end = rows * (t + 1) / count;
      o.c = c + first * o.cRow + v * 16;
      o.a = a + first * o.aRow;
      tiles[end - first - 1][log](&o);
    }
    v += 1 << log;
  }
}

// Rows of x kept in the second-level cache while panels go by, and the depth of a panel block,
// 256 x 32 floats = 32 KiB, kept in the first.
enum { ROW_BLOCK = 144, DEPTH_BLOCK = 256, FEW_ROWS = 36 };

static void linear(float *out, const float *x, const float *packed, const float *bias,
                   long rowBegin, long rowEnd, long panelBegin, long panelEnd, long outputs,
                   long inputs) {
  const long blockRows = rowEnd - rowBegin <= FEW_ROWS ? FEW_ROWS : ROW_BLOCK;
  const long blocks =
      rowEnd - rowBegin <= FEW_ROWS ? 1 : (inputs + DEPTH_BLOCK - 1) / DEPTH_BLOCK;
  const long panel = inputs * FORAGE_PANEL;
  Product o = {.cRow = outputs, .aRow = inputs, .aStep = 1, .panel = panel, .addStored = 0};
  for (long row = rowBegin; row < rowEnd; row += blockRows) {
    const long rows = rowEnd - row < blockRows ? rowEnd - row : blockRows;
    // With few rows a tile spans several panels, so all of them go in one sweep.
    const long stride = blockRows == FEW_ROWS ? panelEnd - panelBegin : 1;
    for (long p = panelBegin; p < panelEnd; p += stride) {
      const long column = p * FORAGE_PANEL;
      const long next = (p + stride) * FORAGE_PANEL, end = next < outputs ? next : outputs;
      for (long block = 0; block < blocks; block++) {
        const long k = inputs * block / blocks, kEnd = inputs * (block + 1) / blocks;
        o.c = out + row * outputs + column;
        o.a = x + row * inputs + k;
        o.b = packed + p * panel + k * FORAGE_PANEL;
        o.depth = kEnd - k;
        o.columns = end - column;
        o.start = block == 0 ? START_ZERO : START_STORED;
        o.bias = bias && block == blocks - 1 ? bias + column : 0;
        sweep(o, rows, (end - column + 15) / 16);
      }
    }
  }
}

static void product(float *c, long cRow, const float *a, long aRow, long aStep, const float *b,
                    long bRow, long rows, long columns, long depth, int accumulate) {
  float block[DEPTH_BLOCK * FORAGE_PANEL] __attribute__((aligned(64)));
  for (long k = 0; k < depth; k += DEPTH_BLOCK) {
    const long steps = depth - k < DEPTH_BLOCK ? depth - k : DEPTH_BLOCK;
    for (long column = 0; column < columns; column += FORAGE_PANEL) {
      const long width = columns - column < FORAGE_PANEL ? columns - column : FORAGE_PANEL;
      for (long i = 0; i < steps; i++) {
        const float *from = b + (k + i) * bRow + column;
        vStore(block + i * FORAGE_PANEL, take(from, width));
        vStore(block + i * FORAGE_PANEL + 16, width > 16 ? take(from + 16, width - 16) : vSet(0));
      }
      Product o = {.c = c + column, .cRow = cRow, .a = a + k * aStep, .aRow = aRow,
                   .aStep = aStep, .b = block, .panel = 0, .depth = steps, .columns = width,
                   .start = START_ZERO, .addStored = accumulate || k > 0, .bias = 0};
      for (long row = 0; row < rows; row += ROW_BLOCK) {
        o.c = c + row * cRow + column;
        o.a = a + k * aStep + row * aRow;
        sweep(o, rows - row < ROW_BLOCK ? rows - row : ROW_BLOCK, (width + 15) / 16);
      }
    }
  }
}
