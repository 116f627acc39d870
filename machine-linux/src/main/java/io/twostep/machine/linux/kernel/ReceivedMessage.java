package io.twostep.machine.linux.kernel;

import java.util.List;

/**
 * What one {@link Kernel#receiveMessage} took from a socket.
 *
 * @param length bytes received; 0 if the other end has closed, -1 if nothing is there and the socket does not block
 * @param descriptors descriptors that came along, the receiver's to close
 * @param truncated whether more descriptors came than there was room for; the kernel has closed those
 */
public record ReceivedMessage(long length, List<Descriptor> descriptors, boolean truncated) {
  /** Copy the list. */
  public ReceivedMessage {
    descriptors = List.copyOf(descriptors);
  }
}
