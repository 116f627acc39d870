package io.twostep.device.vfio.stream;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.vfio.Seeds;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** Streams damaged in every way: whatever is accepted is equal byte by byte. {@code -Dtwostep.streams=1000000} for the long run. */
class StreamCorruptionTest {
  private static final int STREAMS = Integer.getInteger("twostep.streams", 100_000);
  private static final int MAX_PAYLOAD = 700;

  @Test
  void nothingThatIsNotByteEqualIsAccepted() {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    int unchanged = 0;
    for (int i = 0; i < STREAMS; i++) {
      long seed = random.nextLong();
      SplittableRandom one = new SplittableRandom(seed);
      byte[] written = stream(one);
      byte[] arrived = damage(written, one);
      boolean same = Arrays.equals(written, arrived);
      unchanged += same ? 1 : 0;
      assertThat(isAccepted(arrived, one)).as("stream %d of seed %d, %s", i, seed, Seeds.repeat(Seeds.SEED)).isEqualTo(same);
    }
    assertThat(unchanged).as("damages that changed nothing").isBetween(1, STREAMS / 10);
  }

  private static byte[] stream(SplittableRandom random) {
    ByteBuffer out = ByteBuffer.allocate(8192);
    RecordWriter writer = new RecordWriter(random.nextLong(), random.nextLong());
    int[] tags = {0, 1, 16, 17, 99};
    for (int records = random.nextInt(6); records > 0; records--) {
      byte[] payload = new byte[random.nextInt(MAX_PAYLOAD)];
      if (random.nextInt(4) != 0) {
        random.nextBytes(payload);
      }
      int tag = tags[random.nextInt(tags.length)];
      writer.record(out, tag, tag == 99, ByteBuffer.wrap(payload));
    }
    writer.end(out);
    return Arrays.copyOf(out.array(), out.position());
  }

  private static byte[] damage(byte[] written, SplittableRandom random) {
    byte[] bytes = written.clone();
    int at = random.nextInt(bytes.length);
    int count = 1 + random.nextInt(Math.min(64, bytes.length - at));
    switch (random.nextInt(11)) {
      case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
      case 1 -> bytes[at] = (byte) random.nextInt();
      case 2 -> random.ints(count).forEach(new Overwriter(bytes, at));
      case 3 -> Arrays.fill(bytes, at, at + count, (byte) 0);
      case 4 -> bytes = Arrays.copyOf(bytes, at);
      case 5 -> bytes = join(bytes, at, at + count);
      case 6 -> bytes = join(bytes, at + count, at);
      case 7 -> bytes = Arrays.copyOf(bytes, bytes.length + count);
      case 8 -> System.arraycopy(written, random.nextInt(bytes.length - count + 1), bytes, at, count);
      case 9 -> bytes = concat(Arrays.copyOf(bytes, Math.max(1, at)), stream(random));
      default -> forge(bytes, random);
    }
    return bytes;
  }

  private record Overwriter(byte[] bytes, int at) implements java.util.function.IntConsumer {
    @Override
    public void accept(int value) {
      bytes[at + (value >>> 8) % (bytes.length - at)] = (byte) value;
    }
  }

  private static byte[] join(byte[] bytes, int headTo, int tailFrom) {
    return concat(Arrays.copyOf(bytes, headTo), Arrays.copyOfRange(bytes, tailFrom, bytes.length));
  }

  private static byte[] concat(byte[] head, byte[] tail) {
    byte[] both = Arrays.copyOf(head, head.length + tail.length);
    System.arraycopy(tail, 0, both, head.length, tail.length);
    return both;
  }

  /** Change a payload byte and make its own checksum right again. */
  private static void forge(byte[] bytes, SplittableRandom random) {
    ByteBuffer stream = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int length = (int) stream.getLong(StreamLayout.PREAMBLE);
    int payload = StreamLayout.PREAMBLE + StreamLayout.HEADER;
    if (length > 0) {
      bytes[payload + random.nextInt(length)] ^= (byte) (1 + random.nextInt(255));
      CRC32C crc = new CRC32C();
      crc.update(bytes, payload, length);
      stream.putInt(payload + length, (int) crc.getValue());
    }
  }

  private static boolean isAccepted(byte[] bytes, SplittableRandom random) {
    Received received = new Received();
    RecordParser parser = new RecordParser(received, MAX_PAYLOAD);
    try {
      int at = 0;
      while (at < bytes.length) {
        int count = Math.min(bytes.length - at, 1 + random.nextInt(1000));
        parser.accept(ByteBuffer.wrap(bytes, at, count));
        at += count;
      }
      parser.requireComplete();
      return received.end;
    } catch (StreamException e) {
      assertThat(parser.isComplete()).isFalse();
      return false;
    }
  }
}
