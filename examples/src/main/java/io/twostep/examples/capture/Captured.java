package io.twostep.examples.capture;

import java.util.ArrayList;
import java.util.List;

/** Where memory was found: runs of adjacent frames, in the order of the process's addresses, and the pages that were not there. */
public final class Captured {
  private final List<Run> runs = new ArrayList<>();
  private long present;
  private long swapped;
  private long absent;
  private long hidden;
  private long bytes;
  private boolean joins;

  /**
   * Adjacent memory.
   *
   * @param phys its first byte
   * @param length bytes
   */
  public record Run(long phys, long length) {}

  Captured() {}

  void present(long phys, long bytes) {
    present++;
    this.bytes += bytes;
    Run last = joins ? runs.getLast() : null;
    if (last != null && last.phys + last.length == phys) {
      runs.set(runs.size() - 1, new Run(last.phys, last.length + bytes));
    } else {
      runs.add(new Run(phys, bytes));
    }
    joins = true;
  }

  void away(boolean onDisk) {
    joins = false;
    if (onDisk) {
      swapped++;
    } else {
      absent++;
    }
  }

  void hidden() {
    joins = false;
    hidden++;
  }

  /** End a buffer: what follows is another one, even if it lies behind it. */
  void cut() {
    joins = false;
  }

  /** Return the runs. */
  public List<Run> runs() {
    return List.copyOf(runs);
  }

  int count() {
    return runs.size();
  }

  /** Return the bytes of the runs. */
  public long bytes() {
    return bytes;
  }

  /** Tell whether there were pages whose place the kernel did not tell. */
  public boolean isHidden() {
    return hidden > 0;
  }

  /** Return the pages that were in memory. */
  public long present() {
    return present + hidden;
  }

  /** Return the pages that were swapped out. */
  public long swapped() {
    return swapped;
  }

  /** Return the pages that were never touched, or given back. */
  public long absent() {
    return absent;
  }
}
