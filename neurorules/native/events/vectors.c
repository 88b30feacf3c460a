/* What the kernels of this folder share: vectors as wide as the processor's, and teams of threads. Each of them
 * includes `vectors_template.c` once a floating type. */
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define FEWEST 65536 /* additions that repay waking a thread */
#define TILE 16      /* numbers of a row that are transposed together, a line of the cache of float32 */

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLE 1
#endif
#endif

/* SUMS is the number of vectors that are summed in registers at once; the others hold addends. */
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define SUMS 25 /* of 32 registers */
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define SUMS 12 /* of 16 registers */
#elif defined(__aarch64__)
#define VECTOR_BYTES 16
#define SUMS 25 /* of 32 registers */
#else
#define VECTOR_BYTES 16
#define SUMS 12 /* of 16 registers */
#endif

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
