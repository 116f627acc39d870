package io.twostep.device.nvme.model;

import static io.twostep.device.nvme.model.TinyHost.BASE;
import static io.twostep.device.nvme.model.TinyHost.DATA;
import static io.twostep.device.nvme.model.TinyHost.PAGE;
import static io.twostep.device.nvme.model.TinyHost.prp;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.Seeds;
import io.twostep.device.nvme.model.NvmeModelConfig.SglSupport;
import io.twostep.device.nvme.model.TinyHost.Queue;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.SglDescriptorLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.device.nvme.wire.U64;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DataPointersTest {
  private static final long LISTS = DATA + 0x100_0000;
  private static final U64 WORD = new U64(0);

  private TinyHost host;
  private Queue queue;

  private void start(NvmeModelConfig config) {
    host = TinyHost.running(config);
    queue = host.createQueue(1, 16);
  }

  @AfterEach
  void close() {
    host.close();
  }

  private int read(int blocks, long prp1, long prp2) {
    return host.execute(queue, prp(host.io(NvmOpcode.READ, 0, blocks), prp1, prp2)).code();
  }

  private void word(long dmaAddress, long value) {
    WORD.set(host.memory, dmaAddress - BASE, value);
  }

  @Test
  void pageEntriesAreTakenByTheRules() {
    start(NvmeModelConfig.DEFAULT);
    assertThat(read(8, 0, 0)).as("no first page").isEqualTo(StatusCode.INVALID_FIELD);
    assertThat(read(8, DATA + 2, 0)).as("first page off the dword").isEqualTo(StatusCode.PRP_OFFSET_INVALID);
    assertThat(read(8, DATA, DATA + PAGE)).as("second page not used").isEqualTo(StatusCode.INVALID_FIELD);
    assertThat(read(16, DATA, 0)).as("no second page").isEqualTo(StatusCode.INVALID_FIELD);
    assertThat(read(16, DATA, DATA + 8)).as("second page with offset").isEqualTo(StatusCode.PRP_OFFSET_INVALID);
    assertThat(read(24, DATA, LISTS + 4)).as("list off the quadword").isEqualTo(StatusCode.PRP_OFFSET_INVALID);
    word(LISTS, DATA);
    word(LISTS + 8, 0);
    assertThat(read(24, DATA, LISTS)).as("empty entry").isEqualTo(StatusCode.INVALID_FIELD);
    word(LISTS + 8, DATA + 16);
    assertThat(read(24, DATA, LISTS)).as("entry with offset").isEqualTo(StatusCode.PRP_OFFSET_INVALID);
    word(LISTS + 8, DATA + PAGE);
    assertThat(read(24, DATA, LISTS)).isZero();
    assertThat(read(24, DATA, 0x7000)).as("list nobody answers for").isEqualTo(StatusCode.DATA_TRANSFER_ERROR);
    word(LISTS + PAGE - 16, DATA);
    word(LISTS + PAGE - 8, LISTS + 8);
    assertThat(read(32, DATA, LISTS + PAGE - 16)).as("link with offset").isEqualTo(StatusCode.PRP_OFFSET_INVALID);
  }

  @Test
  void lenientControllersIgnoreWhatTheyDoNotUse() {
    start(NvmeModelConfig.DEFAULT.with(c -> c.strict(false)));
    assertThat(read(8, DATA, DATA + PAGE)).isZero();
  }

  @Test
  void listsMayStartAnywhereInAPageAndChain() {
    RandomGenerator random = Seeds.random();
    for (int pageSize : new int[] {4096, 8192}) {
      start(NvmeModelConfig.DEFAULT.with(c -> c.mdts(0).pageSizeMin(pageSize)));
      for (int round = 0; round < 200; round++) {
        int offset = 4 * random.nextInt(pageSize / 4);
        int blocks = random.nextInt(1, random.nextInt(10) == 0 ? 9000 : 200);
        byte[] expected = new byte[512 * blocks];
        new Random(round).nextBytes(expected);
        MemorySegment write = host.io(NvmOpcode.WRITE, 11, blocks);
        scatter(write, pageSize, offset, expected, random);
        assertThat(host.execute(queue, write).code()).as(Seeds.at(round)).isZero();
        MemorySegment read = host.io(NvmOpcode.READ, 11, blocks);
        long[] pages = scatter(read, pageSize, 0, new byte[expected.length], random);
        assertThat(host.execute(queue, read).code()).as(Seeds.at(round)).isZero();
        for (int i = 0; i < pages.length; i++) {
          int length = Math.min(pageSize, expected.length - i * pageSize);
          assertThat(host.at(pages[i], length).mismatch(MemorySegment.ofArray(expected).asSlice((long) i * pageSize, length)))
              .as(Seeds.at(round))
              .isEqualTo(-1);
        }
      }
      host.close();
    }
    start(NvmeModelConfig.DEFAULT);
  }

  /** Put bytes into pages in random order and write a page list for them that begins at a random slot. */
  private long[] scatter(MemorySegment sqe, int pageSize, int offset, byte[] bytes, RandomGenerator random) {
    int pages = (offset + bytes.length + pageSize - 1) / pageSize;
    int stride = pages * pageSize > 0x80_0000 ? 1 : 2;
    long[] addresses = new long[pages];
    int done = 0;
    for (int i = 0; i < pages; i++) {
      addresses[i] = DATA + (long) (stride == 2 ? pages - 1 - i : i) * stride % (0x100_0000 / pageSize) * pageSize;
      int from = i == 0 ? offset : 0;
      int length = Math.min(pageSize - from, bytes.length - done);
      host.at(addresses[i] + from, length).copyFrom(MemorySegment.ofArray(bytes).asSlice(done, length));
      done += length;
    }
    if (pages <= 2) {
      prp(sqe, addresses[0] + offset, pages == 2 ? addresses[1] : 0);
      return addresses;
    }
    long list = LISTS + 8L * random.nextInt(pageSize / 8);
    prp(sqe, addresses[0] + offset, list);
    for (int i = 1; i < pages; i++) {
      if ((list + 8) % pageSize == 0 && i < pages - 1) {
        long next = (list / pageSize + 1) * pageSize;
        word(list, next);
        list = next;
      }
      word(list, addresses[i]);
      list += 8;
    }
    return addresses;
  }

  private int sgl(int opcode, int blocks, long address, long length, int identifier) {
    MemorySegment sqe = host.io(opcode, 0, blocks);
    SqeLayout.FLAGS.set(sqe, 0, SqeLayout.PSDT.with(0, SqeLayout.PSDT_SGL));
    descriptor(sqe, SqeLayout.SGL1, address, length, identifier);
    return host.execute(queue, sqe).code();
  }

  private static void descriptor(MemorySegment segment, long at, long address, long length, int identifier) {
    WORD.set(segment, at, address);
    WORD.set(segment, at + 8, (long) identifier << 56 | length);
  }

  private void descriptor(int index, long address, long length, int identifier) {
    descriptor(host.memory, LISTS - BASE + 16L * index, address, length, identifier);
  }

  @Test
  void oneDescriptorNeedsNoList() {
    start(NvmeModelConfig.DEFAULT);
    byte[] bytes = new byte[1024];
    new Random(1).nextBytes(bytes);
    host.at(DATA + 1, 1024).copyFrom(MemorySegment.ofArray(bytes));
    assertThat(sgl(NvmOpcode.WRITE, 2, DATA + 1, 1024, 0)).isZero();
    assertThat(sgl(NvmOpcode.READ, 2, DATA + PAGE + 3, 1024, 0)).isZero();
    assertThat(host.at(DATA + PAGE + 3, 1024).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(bytes);
  }

  @Test
  void segmentsChainAndEmptyBlocksMoveNothing() {
    start(NvmeModelConfig.DEFAULT);
    descriptor(0, DATA, 512, 0);
    descriptor(1, 0, 0, 0);
    descriptor(2, LISTS + 256, 48, 0x30);
    descriptor(16, DATA + 512, 256, 0);
    descriptor(17, DATA + 1024, 128, 0);
    descriptor(18, DATA + 4096, 128, 0);
    host.at(DATA, 8192).fill((byte) 7);
    assertThat(sgl(NvmOpcode.READ, 2, LISTS, 48, 0x20)).isZero();
    assertThat(host.at(DATA, 768).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    assertThat(host.at(DATA + 768, 256).toArray(ValueLayout.JAVA_BYTE)).containsOnly(7);
    assertThat(host.at(DATA + 1024, 128).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    assertThat(host.at(DATA + 1152, 4096 - 1152).toArray(ValueLayout.JAVA_BYTE)).containsOnly(7);
    assertThat(host.at(DATA + 4096, 128).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
  }

  @Test
  void longSegmentsAreReadWhole() {
    start(NvmeModelConfig.DEFAULT);
    for (int i = 0; i < 1024; i++) {
      descriptor(i, DATA + 1024L * i, 512, 0);
    }
    host.at(DATA, 1 << 20).fill((byte) 9);
    assertThat(sgl(NvmOpcode.READ, 1024, LISTS, 1024 * 16, 0x30)).isZero();
    for (int i = 0; i < 1024; i++) {
      assertThat(host.at(DATA + 1024L * i, 512).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
      assertThat(host.at(DATA + 1024L * i + 512, 512).toArray(ValueLayout.JAVA_BYTE)).containsOnly(9);
    }
  }

  @Test
  void bucketsTakeDataOfReadsOnly() {
    start(NvmeModelConfig.DEFAULT);
    host.at(DATA, 1024).fill((byte) 5);
    assertThat(sgl(NvmOpcode.WRITE, 2, DATA, 1024, 0)).isZero();
    descriptor(0, 0, 512, 0x10);
    descriptor(1, DATA + PAGE, 512, 0);
    host.at(DATA + PAGE, 1024).fill((byte) 0);
    assertThat(sgl(NvmOpcode.READ, 2, LISTS, 32, 0x30)).isZero();
    assertThat(host.at(DATA + PAGE, 512).toArray(ValueLayout.JAVA_BYTE)).containsOnly(5);
    assertThat(host.at(DATA + PAGE + 512, 512).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    assertThat(sgl(NvmOpcode.WRITE, 2, LISTS, 32, 0x30)).isEqualTo(StatusCode.DATA_SGL_LENGTH_INVALID);
    host.close();
    start(NvmeModelConfig.DEFAULT.with(c -> c.sglBitBucket(false)));
    descriptor(0, 0, 512, 0x10);
    assertThat(sgl(NvmOpcode.READ, 2, LISTS, 32, 0x30)).isEqualTo(StatusCode.SGL_DESCRIPTOR_TYPE_INVALID);
  }

  @Test
  void wrongListsAreRefusedWithTheirStatus() {
    start(NvmeModelConfig.DEFAULT);
    assertThat(sgl(NvmOpcode.READ, 2, DATA, 1023, 0)).isEqualTo(StatusCode.DATA_SGL_LENGTH_INVALID);
    assertThat(sgl(NvmOpcode.READ, 2, DATA, 1025, 0)).isEqualTo(StatusCode.DATA_SGL_LENGTH_INVALID);
    assertThat(sgl(NvmOpcode.READ, 2, DATA, 1024, 0x01)).as("offset").isEqualTo(StatusCode.SGL_DESCRIPTOR_TYPE_INVALID);
    assertThat(sgl(NvmOpcode.READ, 2, DATA, 1024, 0x40)).as("keyed").isEqualTo(StatusCode.SGL_DESCRIPTOR_TYPE_INVALID);
    assertThat(sgl(NvmOpcode.READ, 2, LISTS, 0, 0x30)).isEqualTo(StatusCode.INVALID_SGL_SEGMENT_DESCRIPTOR);
    assertThat(sgl(NvmOpcode.READ, 2, LISTS, 24, 0x30)).isEqualTo(StatusCode.INVALID_SGL_SEGMENT_DESCRIPTOR);
    assertThat(sgl(NvmOpcode.READ, 2, 0x5000, 16, 0x30)).isEqualTo(StatusCode.DATA_TRANSFER_ERROR);
    descriptor(0, DATA, 512, 0);
    descriptor(1, DATA, 512, 0);
    assertThat(sgl(NvmOpcode.READ, 2, LISTS, 32, 0x20))
        .as("a segment that is the last")
        .isEqualTo(StatusCode.INVALID_SGL_SEGMENT_DESCRIPTOR);
    descriptor(1, LISTS, 32, 0x30);
    assertThat(sgl(NvmOpcode.READ, 2, LISTS, 32, 0x30))
        .as("a segment behind the last")
        .isEqualTo(StatusCode.INVALID_SGL_SEGMENT_DESCRIPTOR);
    descriptor(0, LISTS, 32, 0x30);
    assertThat(sgl(NvmOpcode.READ, 2, LISTS, 32, 0x20))
        .as("a segment before the end")
        .isEqualTo(StatusCode.INVALID_NUMBER_OF_SGL_DESCRIPTORS);
    descriptor(0, LISTS, 16, 0x20);
    assertThat(sgl(NvmOpcode.READ, 2, LISTS, 16, 0x20)).as("a loop").isEqualTo(StatusCode.INVALID_NUMBER_OF_SGL_DESCRIPTORS);
  }

  @Test
  void supportDecidesWhatIsTaken() {
    start(NvmeModelConfig.DEFAULT.with(c -> c.sgl(SglSupport.NONE)));
    assertThat(sgl(NvmOpcode.READ, 2, DATA, 1024, 0)).isEqualTo(StatusCode.INVALID_FIELD);
    host.close();
    start(NvmeModelConfig.DEFAULT.with(c -> c.sgl(SglSupport.DWORD).sglLonger(true)));
    assertThat(sgl(NvmOpcode.READ, 2, DATA + 2, 1024, 0)).isEqualTo(StatusCode.SGL_DATA_BLOCK_GRANULARITY_INVALID);
    host.at(DATA, PAGE).fill((byte) 3);
    assertThat(sgl(NvmOpcode.READ, 2, DATA, 2048, 0)).as("longer").isZero();
    assertThat(host.at(DATA + 1024, 1024).toArray(ValueLayout.JAVA_BYTE)).containsOnly(3);
    MemorySegment reserved = host.io(NvmOpcode.READ, 0, 2);
    SqeLayout.FLAGS.set(reserved, 0, SqeLayout.PSDT.with(0, 3));
    assertThat(host.execute(queue, reserved).code()).isEqualTo(StatusCode.INVALID_FIELD);
    MemorySegment strict = host.io(NvmOpcode.READ, 0, 2);
    SqeLayout.FLAGS.set(strict, 0, SqeLayout.PSDT.with(0, SqeLayout.PSDT_SGL));
    descriptor(strict, SqeLayout.SGL1, DATA, 1024, 0);
    SglDescriptorLayout.RESERVED_AND_IDENTIFIER.set(strict, SqeLayout.SGL1, 1);
    assertThat(host.execute(queue, strict).code()).isEqualTo(StatusCode.INVALID_FIELD);
  }
}
