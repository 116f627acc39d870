package io.twostep.backend.debug;

import java.util.Arrays;

/**
 * Where a call was made: what was called, by which thread, from where.
 *
 * <p>A throwable only because that is the cheap way to take a stack trace; frames are resolved when somebody reads them.
 */
public final class Origin extends Throwable {
  private static final long serialVersionUID = 1;

  private static final String HANDLES = "io.twostep.dma";

  Origin(String what) {
    super(what + " by thread " + Thread.currentThread().getName());
  }

  /** Return at most {@code depth} frames, beginning with the caller of the mapping layer, if that is in it. */
  StackTraceElement[] frames(int depth) {
    StackTraceElement[] all = getStackTrace();
    int first = 0;
    while (first < all.length && !isHandle(all[first])) {
      first++;
    }
    while (first < all.length && all[first].getClassName().startsWith(HANDLES)) {
      first++;
    }
    if (first == all.length) {
      first = 0;
    }
    return Arrays.copyOfRange(all, first, Math.min(all.length, first + depth));
  }

  private static boolean isHandle(StackTraceElement frame) {
    String name = frame.getClassName();
    return name.lastIndexOf('.') == HANDLES.length() && name.startsWith(HANDLES);
  }

  void print(StringBuilder out, int depth) {
    out.append(getMessage()).append(':');
    for (StackTraceElement frame : frames(depth)) {
      out.append("\n    at ").append(frame);
    }
  }
}
