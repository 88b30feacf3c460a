/* Products of matrices of which one is mostly zero, such as a matrix of spikes.
 *
 * `events_template.c` is included once a floating type. The non-zero values of a
 * matrix stand in lists; each of them adds one row of a table to a sum that is
 * held in vector registers. The table is a block of neighbouring columns of the
 * other factor, copied together so that it stays in the second-level cache; some
 * targets at a time gather from one part of it, which stays in the first. A sum
 * always runs over its list in ascending order, whatever thread makes it.
 */
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define FEWEST 65536 /* additions that repay waking a thread */
#define SAMPLED 16    /* one row of so many is counted before any is listed */
#define GROUP 64      /* targets that gather from one part of a table; also in native.py */
#define AHEAD 8       /* rows by which a copy is fetched before it is read */
#define TILE 16       /* numbers of a row that are transposed together, a line of the cache of float32 */

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLE 1
#endif
#endif

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define VECTORS 8 /* of 32 registers; more columns make larger tables */
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define VECTORS 8 /* of 16 registers */
#elif defined(__aarch64__)
#define VECTOR_BYTES 16
#define VECTORS 16 /* of 32 registers */
#else
#define VECTOR_BYTES 16
#define VECTORS 8 /* of 16 registers */
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

static int team(int64_t work, int32_t threads)
{
    int64_t useful = 1 + work / FEWEST;
    return useful < threads ? (int)useful : threads;
}

/* The number of a thread in its team, by a function that is only there where OpenMP is. */
#ifdef _OPENMP
int omp_get_thread_num(void);
#else
static int omp_get_thread_num(void) { return 0; }
#endif

/* One bit for each number of a vector: whether it is not 0, as is one that is no number. */
#if defined(__AVX512F__)
#include <immintrin.h>
#define MASK(vector)                                                                           \
    (sizeof(REAL) == 4 ? _mm512_cmp_ps_mask((__m512)(vector), _mm512_setzero_ps(), _CMP_NEQ_UQ) \
                       : _mm512_cmp_pd_mask((__m512d)(vector), _mm512_setzero_pd(), _CMP_NEQ_UQ))
#elif defined(__AVX__)
#include <immintrin.h>
#define MASK(vector)                                                                                           \
    (sizeof(REAL) == 4                                                                                          \
         ? _mm256_movemask_ps(_mm256_cmp_ps((__m256)(vector), _mm256_setzero_ps(), _CMP_NEQ_UQ))                \
         : _mm256_movemask_pd(_mm256_cmp_pd((__m256d)(vector), _mm256_setzero_pd(), _CMP_NEQ_UQ)))
#endif

#define REAL float
#define NAME(x) x##_float32
#include "events_template.c"
#undef REAL
#undef NAME

#define REAL double
#define NAME(x) x##_float64
#include "events_template.c"
