package io.twostep.machine.linux.kernel;

import java.util.ArrayList;
import java.util.List;

/** Takes the descriptors that come along with received bytes; one serves receive after receive. Not thread-safe. */
public final class PassedDescriptors {
  private final String name;
  private final int room;
  private List<Descriptor> taken = List.of();
  private boolean truncated;

  /**
   * Create.
   *
   * @param name what the descriptors are called
   * @param room how many are taken with each receive, 0 to {@link SocketLayout#MOST_DESCRIPTORS}
   */
  public PassedDescriptors(String name, int room) {
    if (room < 0 || room > SocketLayout.MOST_DESCRIPTORS) {
      throw new IllegalArgumentException("room for " + room + " descriptors: a message carries 0 to " + SocketLayout.MOST_DESCRIPTORS);
    }
    this.name = name;
    this.room = room;
  }

  int room() {
    return room;
  }

  /** Return what came with the last receive, for the caller to close. */
  public List<Descriptor> taken() {
    return taken;
  }

  /** Tell whether more came with the last receive than were taken; the kernel has closed those. */
  public boolean isTruncated() {
    return truncated;
  }

  /** Tell whether some were lost for which there was room: the process can open no more files. */
  public boolean isShortage() {
    return truncated && taken.size() < room;
  }

  void clear() {
    taken = List.of();
    truncated = false;
  }

  void add(int number) {
    if (taken.isEmpty()) {
      taken = new ArrayList<>(1);
    }
    taken.add(new Descriptor(number, name));
  }

  void truncated(boolean value) {
    truncated = value;
  }
}
