/* A clock that somebody sets forward by one day as soon as the file CLOCK_STEP exists. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time)
{
	long result = syscall(SYS_clock_gettime, clock, time);
	const char *step = getenv("CLOCK_STEP");

	if (result == 0 && clock == CLOCK_REALTIME && step && access(step, F_OK) == 0)
		time->tv_sec += 24 * 60 * 60;
	return result;
}
