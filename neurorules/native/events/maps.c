/* Convolutions of maps of which most positions are zero, such as maps of spikes.
 *
 * A position that is not zero reaches some positions behind it, each through one weight of every kernel. The positions
 * behind lie on a grid, whose places hold some neighbouring outputs each, a `band` of them, so that one position in
 * front adds whole vectors to neighbouring places. The grid has a border, which what falls beside the maps is added to.
 * Which places are reached depends on the remainders of row and column by the strides alone; positions with the same
 * remainders are a `class`. Its weights stand in one row of a table for each map in front, in the order of the places
 * that they reach: neighbouring places are a `run`, and a `block` of runs is summed in registers at once.
 *
 * Current: the maps that are active at a position, as the bits of a number, each add their row of the table to the
 * places that it reaches. Change of the kernels: the positions that are active in a map each add what they reach to the
 * map's row of the table. A sum always runs in the same order, whatever thread makes it.
 */
#include "vectors.c"

#define MOST_RUNS 5
#define MOST_SPAN 32 /* maps whose weights stand together; also in maps.py */
#define UNSORTED 3 /* the number of maps up to which cells are not sorted */
#define EVERY 13 /* one row of so many is counted, a number that no size of a batch is likely to share a factor with */

typedef struct {
    int64_t length, runs;     /* vectors of a run, and runs: constants of the compiler, see SHAPES */
    int64_t start;            /* vectors that the blocks before it have of a map's weights */
    int64_t reach[MOST_RUNS]; /* vectors from a position's place to each run */
} Block;

/* Field for field the ctypes structure of maps.py. */
typedef struct {
    const void *maps;      /* (rows, channels, pixels) */
    void *kernels;         /* (outputs, channels / groups, taps) */
    void *post;            /* (rows, outputs, high, wide) */
    void *tables, *room;   /* tables of all bands, one after the other, for each share; room of each thread */
    const int32_t *pixels_of_cells, *places_of_cells; /* positions in front class by class, and where they lie */
    const int32_t *places; /* by position in front */
    const uint64_t *class_bits;    /* (classes, words): the positions of each class */
    const int64_t *class_cells, *class_blocks; /* where the cells and the blocks of each class begin */
    const Block *blocks;
    const int32_t *slot_tap, *slot_part, *slot_start, *slot_row; /* of each vector of a map's weights, see `weights` */
    int64_t rows, channels, pixels, outputs, groups, taps, high, wide;
    int64_t grid, grid_wide, corner; /* places, those of a row, and the place of the first position behind */
    int64_t parts, classes, slots;   /* vectors of a place, classes, vectors of a map's weights in a band */
    int64_t span;                    /* maps whose weights stand together, block by block, in a part of the table */
    int64_t held;                    /* rows that are worked on at once */
    int64_t shares, strips;          /* parts of the rows, and of the bands, whose changes are summed apart */
    int64_t room_bytes, entries;
    int32_t threads;
} Maps;

/* The maps that are active at a position in front, `pixel`. */
typedef struct {
    int32_t place, pixel;
    uint64_t active;
} Cell;

/* The shapes of blocks, with as many vectors as there is room for in registers: X(length, runs). */
#define RUNS_3(X, length) X(length, 1) X(length, 2) X(length, 3)
#if SUMS >= 25
#define RUNS_5(X, length) RUNS_3(X, length) X(length, 4) X(length, 5)
#define SHAPES(X) RUNS_5(X, 1) RUNS_5(X, 2) RUNS_5(X, 3) RUNS_5(X, 4) RUNS_5(X, 5) RUNS_3(X, 6) X(6, 4)
#else
#define RUNS_5(X, length) RUNS_3(X, length) X(length, 4) X(length, 5)
#define SHAPES(X) \
    RUNS_5(X, 1) RUNS_5(X, 2) RUNS_3(X, 3) X(3, 4) RUNS_3(X, 4) X(5, 1) X(5, 2) X(6, 1) X(6, 2)
#endif

int64_t sums(void) { return SUMS; }

#define REAL float
#define REAL_BYTES 4
#define BITS uint32_t
#define NAME(x) x##_float32
#include "vectors_template.c"
#include "maps_template.c"
#include "maps_current_template.c"
#include "maps_change_template.c"
#undef REAL
#undef REAL_BYTES
#undef BITS
#undef NAME

#define REAL double
#define REAL_BYTES 8
#define BITS uint64_t
#define NAME(x) x##_float64
#include "vectors_template.c"
#include "maps_template.c"
#include "maps_current_template.c"
#include "maps_change_template.c"
