package io.twostep.device.vfio.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.twostep.device.vfio.stream.StreamException.Kind;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** Records from writer to parser, cut anywhere; what is newer, unknown, cut off or changed. */
class RecordStreamTest {
  private static final List<String> EVENTS = List.of("begin 7 3", "0:0102030405", "16:", "1:ff", "end");

  private static byte[] stream(Consumer<RecordWriterOn> body) {
    ByteBuffer out = ByteBuffer.allocate(8192);
    RecordWriter writer = new RecordWriter(7, 3);
    body.accept((tag, optional, bytes) -> writer.record(out, tag, optional, ByteBuffer.wrap(bytes)));
    writer.end(out);
    return Arrays.copyOf(out.array(), out.position());
  }

  private interface RecordWriterOn {
    void record(int tag, boolean optional, byte... bytes);
  }

  private static byte[] sample() {
    return stream(
        to -> {
          to.record(0, false, new byte[] {1, 2, 3, 4, 5});
          to.record(16, false);
          to.record(1, true, (byte) -1);
        });
  }

  private static Received parse(byte[]... slices) {
    Received received = new Received();
    RecordParser parser = new RecordParser(received, 256);
    for (byte[] slice : slices) {
      parser.accept(ByteBuffer.wrap(slice));
    }
    parser.requireComplete();
    return received;
  }

  @Test
  void streamsArriveWhereverTheyAreCutInTwo() {
    byte[] bytes = sample();
    for (int cut = 0; cut <= bytes.length; cut++) {
      assertThat(parse(Arrays.copyOf(bytes, cut), Arrays.copyOfRange(bytes, cut, bytes.length)).events).as("cut at " + cut).isEqualTo(EVENTS);
    }
  }

  @Test
  void streamsArriveByteByByte() {
    byte[] bytes = sample();
    byte[][] slices = new byte[bytes.length][];
    Arrays.setAll(slices, i -> new byte[] {bytes[i]});
    assertThat(parse(slices).events).isEqualTo(EVENTS);
  }

  @Test
  void streamsCutOffAnywhereAreRefusedAsTruncated() {
    byte[] bytes = sample();
    for (int length = 0; length < bytes.length; length++) {
      byte[] head = Arrays.copyOf(bytes, length);
      assertThatExceptionOfType(StreamException.class).as(length + " bytes").isThrownBy(() -> parse(head)).extracting(StreamException::kind).isEqualTo(Kind.TRUNCATED);
    }
  }

  @Test
  void everyChangedBitIsRefused() {
    byte[] bytes = sample();
    for (int bit = 0; bit < bytes.length * 8; bit++) {
      byte[] changed = bytes.clone();
      changed[bit / 8] ^= (byte) (1 << bit % 8);
      assertThatExceptionOfType(StreamException.class).as("bit " + bit).isThrownBy(() -> parse(changed));
    }
  }

  @Test
  void bytesBehindTheEndAreRefused() {
    assertThatExceptionOfType(StreamException.class).isThrownBy(() -> parse(sample(), new byte[1])).withMessageContaining("1 bytes follow the end");
  }

  @Test
  void optionalRecordsThatAreNotKnownAreSkipped() {
    byte[] bytes = stream(to -> to.record(4711, true, new byte[200]));
    assertThat(parse(bytes).events).containsExactly("begin 7 3", "end");
  }

  @Test
  void mandatoryRecordsThatAreNotKnownAreRefused() {
    byte[] bytes = stream(to -> to.record(4711, false, (byte) 1));
    assertThatExceptionOfType(StreamException.class)
        .isThrownBy(() -> parse(bytes))
        .withMessageContaining("record 0 of tag 4711")
        .extracting(StreamException::kind)
        .isEqualTo(Kind.UNSUPPORTED);
  }

  @Test
  void newerMinorVersionsWithLongerPreamblesAreRead() {
    // The END record sums up the preamble, so the stream is written by a writer of that version: here by hand.
    byte[] longer = withPreamble(1, 1, 72);
    Received received = new Received();
    RecordParser parser = new RecordParser(received, 256);
    parser.accept(ByteBuffer.wrap(longer));
    assertThat(received.events).containsExactly("begin 7 3");
  }

  @Test
  void otherMajorVersionsAreRefused() {
    assertThatExceptionOfType(StreamException.class).isThrownBy(() -> parse(withPreamble(2, 0, 40))).withMessageContaining("version 2").extracting(StreamException::kind).isEqualTo(Kind.UNSUPPORTED);
  }

  @Test
  void longerPreamblesOfThisVersionAreRefused() {
    assertThatExceptionOfType(StreamException.class).isThrownBy(() -> parse(withPreamble(1, 0, 72))).withMessageContaining("72 bytes");
  }

  private static byte[] withPreamble(int major, int minor, int length) {
    ByteBuffer preamble = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    preamble.putLong(StreamLayout.MAGIC).putShort((short) major).putShort((short) minor).putInt(length).putLong(7).putLong(3);
    CRC32C crc = new CRC32C();
    crc.update(preamble.array(), 0, length - 4);
    preamble.putInt(length - 4, (int) crc.getValue());
    return preamble.array();
  }

  @Test
  void payloadsLongerThanTheReaderTakesAreRefusedBeforeTheyArrive() {
    byte[] bytes = stream(to -> to.record(0, false, new byte[5000]));
    RecordParser parser = new RecordParser(new Received(), 256);
    int headerEnd = StreamLayout.PREAMBLE + StreamLayout.HEADER;
    assertThatExceptionOfType(StreamException.class).isThrownBy(() -> parser.accept(ByteBuffer.wrap(bytes, 0, headerEnd))).withMessageContaining("a payload of 5000 bytes is longer");
    RecordParser wide = new RecordParser(new Received(), 5000);
    wide.accept(ByteBuffer.wrap(bytes));
    assertThat(wide.isComplete()).isTrue();
  }

  @Test
  void afterAFailureNothingMoreIsTaken() {
    RecordParser parser = new RecordParser(new Received(), 256);
    assertThatExceptionOfType(StreamException.class).isThrownBy(() -> parser.accept(ByteBuffer.wrap(new byte[40])));
    assertThatExceptionOfType(StreamException.class).isThrownBy(() -> parser.accept(ByteBuffer.wrap(sample()))).withMessageContaining("failed earlier");
    assertThat(parser.isComplete()).isFalse();
  }

  @Test
  void theWriterRefusesWhatNoReaderTakesAndWhatFollowsTheEnd() {
    RecordWriter writer = new RecordWriter(1, 1);
    ByteBuffer out = ByteBuffer.allocate(256);
    assertThatIllegalArgumentException().isThrownBy(() -> writer.begin(out, 0, false, StreamLayout.MAX_PAYLOAD + 1));
    assertThat(writer.fits(out, 256 - StreamLayout.PREAMBLE - StreamLayout.OVERHEAD)).isTrue();
    assertThat(writer.fits(out, 257 - StreamLayout.PREAMBLE - StreamLayout.OVERHEAD)).isFalse();
    int start = writer.begin(out, 0, false, 4);
    assertThatIllegalStateException().isThrownBy(() -> writer.finish(out, start)).withMessageContaining("0 bytes were put into a record of 4");
    out.putInt(1);
    writer.finish(out, start);
    writer.end(out);
    assertThatIllegalStateException().isThrownBy(() -> writer.record(ByteBuffer.allocate(100), 0, false, ByteBuffer.allocate(0)));
  }
}
