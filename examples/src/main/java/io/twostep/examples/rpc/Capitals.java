package io.twostep.examples.rpc;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;

/** The program that is served: a name, pages and their checksum come in; the name, the pages in capitals and their checksum go out. In XDR as head, pages and tail. */
final class Capitals implements RpcServer.Program {
  /** Where the result's pages begin: not on a page, as with files that are read from some offset on. */
  private static final int BASE = 1000;

  /** What a message says. */
  static final class Text {
    private final String name;
    private final byte[] pages;
    private final int checksum;

    Text(String name, byte[] pages, int checksum) {
      this.name = name;
      this.pages = pages;
      this.checksum = checksum;
    }

    String name() {
      return name;
    }

    byte[] pages() {
      return pages;
    }

    /** Tell whether the checksum is that of the pages. */
    boolean isIntact() {
      return checksum == checksumOf(MemorySegment.ofArray(pages));
    }
  }

  /** Return the capital of an ASCII letter, and anything else as it is. */
  static byte capital(byte letter) {
    return letter >= 'a' && letter <= 'z' ? (byte) (letter - 'a' + 'A') : letter;
  }

  static byte[] head(String name) {
    byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(Integer.BYTES + bytes.length).putInt(bytes.length).put(bytes).array();
  }

  static byte[] tail(MemorySegment pages) {
    return ByteBuffer.allocate(Integer.BYTES).putInt(checksumOf(pages)).array();
  }

  /** Read a message from its stream. */
  static Text parse(byte[] stream) {
    ByteBuffer from = ByteBuffer.wrap(stream);
    byte[] name = new byte[from.getInt()];
    from.get(name);
    byte[] pages = new byte[from.remaining() - Integer.BYTES];
    from.get(pages);
    return new Text(new String(name, StandardCharsets.UTF_8), pages, from.getInt());
  }

  private static int checksumOf(MemorySegment bytes) {
    CRC32 crc = new CRC32();
    crc.update(bytes.asByteBuffer());
    return (int) crc.getValue();
  }

  @Override
  public void serve(XdrBuffer call, XdrBuffer result) {
    Text text = parse(call.toBytes());
    if (!text.isIntact()) {
      throw new IllegalStateException("call '" + text.name() + "' arrived damaged");
    }
    byte[] head = head(text.name() + ", in capitals");
    result.reset(head.length, BASE, text.pages().length, Integer.BYTES);
    MemorySegment pages = result.pages();
    for (int i = 0; i < text.pages().length; i++) {
      pages.set(ValueLayout.JAVA_BYTE, i, capital(text.pages()[i]));
    }
    XdrBuffer.put(head, result.head());
    XdrBuffer.put(tail(pages), result.tail());
  }
}
