/* A disk on which every sync takes SLOW_DISK_MS milliseconds, as on NFS or a busy host. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(void)
{
	const char *text = getenv("SLOW_DISK_MS");
	long left = text ? atol(text) : 0;
	struct timespec pause = { left / 1000, left % 1000 * 1000000 };

	while (nanosleep(&pause, &pause) != 0)
		;
}

int fdatasync(int fd)
{
	wait_for_disk();
	return syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	wait_for_disk();
	return syscall(SYS_fsync, fd);
}
