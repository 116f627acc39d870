package io.twostep.examples.rdma;

import io.twostep.device.rdma.AccessFlags;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.function.ToLongFunction;

/** All registrations of a run, made in one mode. */
final class Registrations implements AutoCloseable {
  private static final int ACCESS = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;

  private final RdmaMode mode;
  private final ArrayDeque<Registration> made = new ArrayDeque<>();
  private final Map<RdmaHost, Registration> ofAll = new HashMap<>();

  Registrations(RdmaMode mode) {
    this.mode = mode;
  }

  /** Map slots in a host's process, and make them known to its adapter. */
  Side side(RdmaHost host, int slots) {
    long length = (long) slots * Slots.BYTES;
    long start = host.process.map(length, true);
    return new Side(host, start, slots, registration(host, start, length, slots));
  }

  private Registration registration(RdmaHost host, long start, long length, int slots) {
    return switch (mode) {
      case PINNED -> add(new PinnedRegistration(host, start, slots, ACCESS));
      case ON_DEMAND -> add(PagedRegistration.ofRange(host, start, length, ACCESS));
      case IMPLICIT -> ofAll.computeIfAbsent(host, h -> add(PagedRegistration.ofAll(h, ACCESS)));
    };
  }

  private Registration add(Registration registration) {
    made.addFirst(registration);
    return registration;
  }

  long sum(ToLongFunction<Registration> figure) {
    return made.stream().mapToLong(figure).sum();
  }

  /** Take everything from the adapters, latest first. */
  @Override
  public void close() {
    RuntimeException failure = null;
    for (Registration registration : made) {
      try {
        registration.close();
      } catch (RuntimeException e) {
        if (failure != null) {
          e.addSuppressed(failure);
        }
        failure = e;
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
