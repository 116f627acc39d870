package io.twostep.machine.linux.vfiouser.protocol;

import io.twostep.machine.linux.kernel.Descriptor;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A message that came in.
 *
 * @param header what stands before it
 * @param payload what follows; lives until the next message is received
 * @param descriptors descriptors that came along: the receiver's to close
 */
public record Message(Header header, MemorySegment payload, List<Descriptor> descriptors) {
  /**
   * Check that no descriptor came along.
   *
   * @throws ProtocolException if one did
   */
  public void requireNoDescriptors() {
    if (!descriptors.isEmpty()) {
      throw new ProtocolException(header + " carries " + descriptors.size() + " descriptors; it carries none");
    }
  }

  /**
   * Check that the reply has nothing after its header.
   *
   * @throws ProtocolException if it has
   */
  public void requireEmpty() {
    requireNoDescriptors();
    if (payload.byteSize() != 0) {
      throw new ProtocolException(header + " has " + payload.byteSize() + " bytes after its header; it has none");
    }
  }
}
