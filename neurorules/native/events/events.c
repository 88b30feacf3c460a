/* Products of matrices of which one is mostly zero, such as a matrix of spikes.
 *
 * `events_template.c` is included once a floating type. The non-zero values of a
 * matrix stand in lists; each of them adds one row of a table to a sum that is
 * held in vector registers. The table is a block of neighbouring columns of the
 * other factor, copied together so that it stays in the second-level cache; some
 * targets at a time gather from one part of it, which stays in the first. A sum
 * always runs over its list in ascending order, whatever thread makes it.
 */
#include "vectors.c"

#define SAMPLED 16 /* one row of so many is counted before any is listed */
#define GROUP 64   /* targets that gather from one part of a table; also in native.py */
#define AHEAD 8    /* rows by which a copy is fetched before it is read */

#if defined(__aarch64__)
#define VECTORS 16 /* of 32 registers */
#else
#define VECTORS 8 /* of 16 registers; of 32 wider ones, since more columns make larger tables */
#endif

/* Field for field the ctypes structure of native.py. All sizes count elements. */
typedef struct {
    const void *factor;     /* the other factor: (columns, sources) if transposed, else (sources, columns) */
    void *out;              /* (columns, targets) if transposed_out, else (targets, columns) */
    void *tables, *sums;    /* room of each thread: length x width, and room x width */
    const int64_t *starts;  /* of the list of a target and a chunk of sources; the next place is its end */
    const void *active;     /* the lists */
    int64_t grouped, group_step, chunk_step; /* targets whose starts are neighbours; steps between groups, and chunks */
    int64_t sources, targets, columns;
    int64_t chunk, length;  /* sources of a chunk, whose part of a table stays in the first-level cache; of a table */
    int64_t room, entries;  /* targets whose sums are held at once */
    int32_t transposed, transposed_out, threads;
} Product;

#define REAL float
#define REAL_BYTES 4
#define NAME(x) x##_float32
#include "vectors_template.c"
#include "events_template.c"
#undef REAL
#undef REAL_BYTES
#undef NAME

#define REAL double
#define REAL_BYTES 8
#define NAME(x) x##_float64
#include "vectors_template.c"
#include "events_template.c"
