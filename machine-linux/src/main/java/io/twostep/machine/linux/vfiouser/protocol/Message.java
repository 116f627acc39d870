package io.twostep.machine.linux.vfiouser.protocol;

import io.twostep.machine.linux.kernel.Descriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** A message that came in, read where it was received: it lives until the next one is. */
public final class Message {
  private final MemorySegment bytes;
  private final MemorySegment body;
  private final Header header;
  private List<Descriptor> descriptors = List.of();

  /** See the message that {@code bytes} begins with, now and whenever another one was received there. */
  Message(MemorySegment bytes) {
    this.bytes = bytes;
    body = bytes.asSlice(Header.SIZE);
    header = new Header(bytes);
  }

  void descriptors(List<Descriptor> received) {
    descriptors = received;
  }

  /** Return what stands before it. */
  public Header header() {
    return header;
  }

  /** Return the bytes after the header, of which {@link #length} belong to the message. */
  public MemorySegment body() {
    return body;
  }

  /** Return the bytes of the payload. */
  public int length() {
    return header.size() - Header.SIZE;
  }

  /** Return the payload alone: a new segment. */
  public MemorySegment payload() {
    return body.asSlice(0, length());
  }

  /** Return the descriptors that came along: the receiver's to close. */
  public List<Descriptor> descriptors() {
    return descriptors;
  }

  /** Return a message that stays as this one is now; it has the descriptors. */
  public Message copy() {
    Message copy = new Message(MemorySegment.ofArray(bytes.asSlice(0, header.size()).toArray(ValueLayout.JAVA_BYTE)));
    copy.descriptors = descriptors;
    return copy;
  }

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
    if (length() != 0) {
      throw new ProtocolException(header + " has " + length() + " bytes after its header; it has none");
    }
  }
}
