/* SPDX-License-Identifier: MIT
 * src/mpi/modelopt/mpi.h: groups of MPI ranks (the library libmodelopt-mpi).
 *
 *   cc train.c $(pkg-config --cflags --libs modelopt-mpi)
 *   mpirun -n 4 ./a.out
 *
 * Sums are added up by this library, not by MPI, so that they have the same
 * bits for any implementation of MPI and any network. */
#ifndef MODELOPT_MPI_H
#define MODELOPT_MPI_H

#include <modelopt/group.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Make this process's end of the group of all MPI ranks.
 *
 *  MPI is initialised if the host has not done so; it is then finalised when
 *  the last handle is freed, and cannot be used again in this process. MPI must
 *  allow calls from several threads, one at a time (MPI_THREAD_SERIALIZED).
 *  Nothing here ends the process: errors of MPI are returned.
 *
 *  All ranks call it. After a rank gave up, or a timeout, MPI is left as it is
 *  when the group is freed: finalising would wait for whoever is gone.
 *
 *  @param timeout seconds that a call waits for another rank, above 0.
 *  @param out     receives the group; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (MPI was finalised earlier),
 *          MOPT_EUNSUPPORTED (MPI allows calls from one thread alone),
 *          MOPT_EPEER (a call of MPI failed), MOPT_ENOMEM.
 *  Thread: one at a time. Since 0.1.
 */
MOPT_API int32_t mopt_mpi_group(mopt_context *ctx, double timeout,
                                mopt_group **out);

/** The same for the ranks of a communicator of the host's, which has
 *  initialised MPI and finalises it.
 *
 *  @param communicator MPI_Comm_c2f of it; it is duplicated. All its ranks
 *                      call this.
 *  @param timeout      as for mopt_mpi_group.
 *  @param out          receives the group; the caller frees it before the host
 *                      finalises MPI.
 *  @return as mopt_mpi_group; MOPT_ESTATE also if MPI is not initialised.
 *  Thread: one at a time. Since 0.1.
 */
MOPT_API int32_t mopt_mpi_wrap(mopt_context *ctx, int32_t communicator,
                               double timeout, mopt_group **out);

#ifdef __cplusplus
}
#endif

#endif
