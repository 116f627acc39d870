package io.twostep.machine.linux.memory;

import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.memory.RamOptions.PageSize;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Path;

/** Says how to come by pages of 2 MiB and 1 GiB, which are there only if the administrator set them aside. */
final class HugePages {
  private static final String FILE_SYSTEM = "hugetlbfs";

  private HugePages() {}

  /** Return what a failed call that asked for {@code length} bytes in such pages means; the failure itself if it has nothing to do with them. */
  static SystemCallException explain(SystemCallException failure, PageSize page, long length) {
    if (page == PageSize.SMALL) {
      return failure;
    }
    String subject = length + " bytes of memory in pages of " + page.text();
    return switch (failure.errno()) {
      case Errno.ENOMEM -> failure.explained(subject, howToSetAside(page, length / page.bytes()));
      case Errno.EINVAL, Errno.ENODEV -> failure.explained(subject, "this processor or its kernel has no such pages: use pages of " + smaller(page));
      default -> failure;
    };
  }

  private static String howToSetAside(PageSize page, long count) {
    long kilobytes = page.bytes() >> 10;
    String running = "set aside %d such pages in /sys/kernel/mm/hugepages/hugepages-%dkB/nr_hugepages".formatted(count, kilobytes);
    return page == PageSize.HUGE_1G
        ? running + ", which a running system seldom has left: boot with hugepagesz=1G hugepages=" + count + " (/proc/sys/vm/nr_hugepages counts pages of the default size alone), or use pages of 2M"
        : running + " or /proc/sys/vm/nr_hugepages, or boot with hugepagesz=2M hugepages=" + count + ", or use pages of 4K";
  }

  private static String smaller(PageSize page) {
    return page == PageSize.HUGE_1G ? "2M" : "4K";
  }

  /**
   * Check that a file's memory would be made of such pages: elsewhere they would be pages of 4 KiB, silently.
   *
   * @throws IllegalArgumentException if it would not, with what to mount
   */
  static void requireOn(FileStore store, Path file, PageSize page) throws IOException {
    if (page != PageSize.SMALL && !(store.type().equals(FILE_SYSTEM) && store.getBlockSize() == page.bytes())) {
      throw new IllegalArgumentException(
          "%s: a file in pages of %s lies on hugetlbfs of that size, and this is %s; mount one (mount -t hugetlbfs -o pagesize=%s none FOLDER), or name no file"
              .formatted(file, page.text(), store.type(), page.text()));
    }
  }
}
