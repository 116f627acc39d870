package io.twostep.device.nvme.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.Seeds;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.dma.RangeKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MetadataSglBuilderTest {
  private final FakeListPages pages = new FakeListPages(4096, 4);
  private final MetadataSglBuilder builder = new MetadataSglBuilder(pages, false);
  private final MemorySegment sqe = Arena.ofAuto().allocate(SqeLayout.SIZE, 8);

  @AfterEach
  void everyListPageComesBack() {
    builder.release();
    assertThat(pages.outstanding()).isZero();
  }

  @Test
  void everyCountOfRangesIsDescribed() {
    for (int count = 1; count <= MetadataSglBuilder.MAX_RANGES; count++) {
      Ranges metadata = Ranges.scattered(Seeds.random(), count, 1);
      builder.begin(metadata.length());
      assertThat(metadata.feed(builder)).isTrue();
      assertThat(builder.finish(sqe, 0)).isTrue();
      long head = SqeLayout.MPTR.get(sqe, 0);
      assertThat(SglParser.parse(pages, pages.read(head), pages.read(head + 8))).isEqualTo(metadata);
      assertThat(pages.read(head + 8) >>> 60).isEqualTo(count == 1 ? 0 : 3);
      assertThat(SqeLayout.PSDT.get(SqeLayout.FLAGS.get(sqe, 0))).isEqualTo(SqeLayout.PSDT_SGL_META_SGL);
      builder.release();
    }
  }

  @Test
  void whatCannotBeDescribedIsRefused() {
    refused(Ranges.scattered(Seeds.random(), MetadataSglBuilder.MAX_RANGES + 1, 1), 0, BuildFailure.TOO_MANY);
    refused(Ranges.of(0x1000, 8), -1, BuildFailure.TOO_LONG);
    refused(Ranges.of(0, 8), 0, BuildFailure.BAD_RANGE);
    builder.begin(9);
    assertThat(Ranges.of(0x1000, 8).feed(builder)).isTrue();
    assertThat(builder.finish(sqe, 0)).isFalse();
    assertThat(builder.failure()).isEqualTo(BuildFailure.TOO_SHORT);
    pages.failAfter(0);
    refused(Ranges.of(0x1000, 8), 0, BuildFailure.NO_LIST_MEMORY);
    pages.failAfter(9);
    MetadataSglBuilder strict = new MetadataSglBuilder(pages, true);
    strict.begin(8);
    assertThat(Ranges.of(0x1001, 8).feed(strict)).isFalse();
    assertThat(strict.failure()).isEqualTo(BuildFailure.MISALIGNED);
    assertThatThrownBy(() -> builder.begin(0)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aLaterRangeBeyondTheMetadataIsRefused() {
    builder.begin(16);
    assertThat(builder.accept(0x1000, 8, RangeKind.LOCAL)).isTrue();
    assertThat(builder.accept(0x2000, 9, RangeKind.LOCAL)).isFalse();
    assertThat(builder.failure()).isEqualTo(BuildFailure.TOO_LONG);
  }

  @Test
  void rangesReachTheLastByteOfTheAddressSpaceAndDoNotWrap() {
    Ranges metadata = Ranges.of(0x1000, 8, -8L, 8);
    builder.begin(16);
    assertThat(metadata.feed(builder) && builder.finish(sqe, 0)).isTrue();
    builder.release();
    refused(Ranges.of(-8L, 9), 0, BuildFailure.BAD_RANGE);
    refused(Ranges.of(0x1000, 0), 8, BuildFailure.BAD_RANGE);
  }

  @Test
  void afterARefusalNothingIsTakenAndTheCommandIsUnchanged() {
    sqe.fill((byte) 0xff);
    refused(Ranges.of(0, 8), 0, BuildFailure.BAD_RANGE);
    assertThat(builder.accept(0x1000, 8, RangeKind.LOCAL)).isFalse();
    assertThat(builder.finish(sqe, 0)).isFalse();
    assertThat(SqeLayout.MPTR.get(sqe, 0)).isEqualTo(-1L);
  }

  @Test
  void controllerThatWantsDwordsTakesThem() {
    MetadataSglBuilder strict = new MetadataSglBuilder(pages, true);
    Ranges metadata = Ranges.of(0x1004, 8, 0x2ffc, 4);
    strict.begin(metadata.length());
    assertThat(metadata.feed(strict) && strict.finish(sqe, 0)).isTrue();
    strict.release();
  }

  @Test
  void metadataIsAsLongAsADescriptorCanSay() {
    builder.begin(0xffff_ffffL);
    assertThat(builder.accept(0x1000, 0xffff_ffffL, RangeKind.LOCAL) && builder.finish(sqe, 0)).isTrue();
    builder.release();
    assertThatThrownBy(() -> builder.begin(0x1_0000_0000L)).isInstanceOf(IllegalArgumentException.class);
  }

  private void refused(Ranges metadata, long more, BuildFailure why) {
    builder.begin(metadata.length() + more);
    assertThat(metadata.feed(builder)).isFalse();
    assertThat(builder.failure()).isEqualTo(why);
    assertThat(pages.outstanding()).isZero();
  }
}
