package io.twostep.machine.linux.kernel;

/**
 * An open file descriptor.
 *
 * @param number the descriptor's number in this process
 * @param name what it is, for messages: the path it was opened by, or the use it was made for
 */
public record Descriptor(int number, String name) {
  /** Stands for no descriptor, where a call allows that: its number is -1. */
  public static final Descriptor NONE = new Descriptor(-1, "no descriptor");

  @Override
  public String toString() {
    return name + " (fd " + number + ")";
  }
}
