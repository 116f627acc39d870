package io.twostep.machine.linux.kernel;

/** How {@link Kernel#epollAdd} waits. */
public final class EpollEvents {
  /** Until there is something to read. */
  public static final int READABLE = 0x1;

  /** Of several sets that wait for one descriptor so, at least one with a thread that waits is woken, the first that began: the others sleep on. */
  public static final int EXCLUSIVE = 1 << 28;

  /** Tell each time it becomes ready again, whether or not anything was read meanwhile. */
  public static final int EDGE = 1 << 31;

  private EpollEvents() {}
}
