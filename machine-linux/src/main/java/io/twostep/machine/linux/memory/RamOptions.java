package io.twostep.machine.linux.memory;

/**
 * What memory is made of.
 *
 * @param length bytes; rounded up to whole pages
 * @param page the pages
 * @param shared whether another process can be given the memory, as a file that lives in memory
 * @param path the file that holds the memory; empty for none
 */
public record RamOptions(long length, PageSize page, boolean shared, String path) {
  /** The pages that memory is made of. */
  public enum PageSize {
    /** 4 KiB. */
    SMALL(4096, "4K"),
    /** 2 MiB, of those that the administrator set aside. */
    HUGE_2M(1L << 21, "2M"),
    /** 1 GiB, of those that the administrator set aside. */
    HUGE_1G(1L << 30, "1G");

    private final long bytes;
    private final String text;

    PageSize(long bytes, String text) {
      this.bytes = bytes;
      this.text = text;
    }

    /** Return the bytes of a page. */
    public long bytes() {
      return bytes;
    }

    /** Return how settings write it. */
    public String text() {
      return text;
    }
  }

  /** Check that the parts fit. */
  public RamOptions {
    if (length <= 0 || length > Long.MAX_VALUE - page.bytes()) {
      throw new IllegalArgumentException("cannot make memory of " + length + " bytes: from 1 to " + (Long.MAX_VALUE - page.bytes()) + " can be asked for");
    }
    if (!path.isEmpty() && shared) {
      throw new IllegalArgumentException("memory lies in the file " + path + " or is shared as a memory file, not both");
    }
  }

  /** Return the bytes of all its pages. */
  public long roundedLength() {
    return (length + page.bytes() - 1) & -page.bytes();
  }
}
