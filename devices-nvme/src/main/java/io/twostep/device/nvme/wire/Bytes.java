package io.twostep.device.nvme.wire;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/**
 * A field of bytes: text padded with spaces, an identifier, or a counter wider than 64 bits.
 *
 * @param offset byte offset in the structure
 * @param width length in bytes
 */
public record Bytes(int offset, int width) implements Field {
  private static final byte SPACE = ' ';

  /** Return the part of {@code segment} that the field of the structure at {@code base} takes. */
  public MemorySegment slice(MemorySegment segment, long base) {
    return segment.asSlice(base + offset, width);
  }

  /** Return the ASCII text without padding (Base 1.4.2: left justified, padded with spaces). */
  public String getText(MemorySegment segment, long base) {
    byte[] text = slice(segment, base).toArray(ValueLayout.JAVA_BYTE);
    int length = text.length;
    while (length > 0 && (text[length - 1] == SPACE || text[length - 1] == 0)) {
      length--;
    }
    return new String(text, 0, length, StandardCharsets.US_ASCII);
  }

  /** Store ASCII text, cut to the width or padded with spaces. */
  public void setText(MemorySegment segment, long base, String text) {
    MemorySegment slice = slice(segment, base).fill(SPACE);
    byte[] ascii = text.getBytes(StandardCharsets.US_ASCII);
    MemorySegment.copy(ascii, 0, slice, ValueLayout.JAVA_BYTE, 0, Math.min(ascii.length, width));
  }
}
