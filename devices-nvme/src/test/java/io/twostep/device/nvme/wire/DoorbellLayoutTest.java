package io.twostep.device.nvme.wire;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DoorbellLayoutTest {
  private static final int[] SAMPLES = {0, 1, 2, 3, 7, 254, 255, 256, 1023, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xfffd, 0xfffe, 0xffff};

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4, 15})
  void doorbellsAreFoundAgainByTheirOffset(int dstrd) {
    for (int queueId : new int[] {0, 1, 2, 63, 0xffff}) {
      long tail = DoorbellLayout.submissionTail(queueId, dstrd);
      long head = DoorbellLayout.completionHead(queueId, dstrd);
      assertThat(tail).isEqualTo(0x1000 + (2L * queueId) * (4L << dstrd));
      assertThat(head).isEqualTo(0x1000 + (2L * queueId + 1) * (4L << dstrd));
      for (long offset : new long[] {tail, head}) {
        assertThat(DoorbellLayout.isDoorbell(offset, dstrd)).isTrue();
        assertThat(DoorbellLayout.isDoorbell(offset + 2, dstrd)).isFalse();
        assertThat(DoorbellLayout.queueId(offset, dstrd)).isEqualTo(queueId);
        assertThat(DoorbellLayout.isCompletionHead(offset, dstrd)).isEqualTo(offset == head);
      }
    }
    assertThat(DoorbellLayout.isDoorbell(0x1000 - (4L << dstrd), dstrd)).isFalse();
  }

  @Test
  void areaHoldsTheLastDoorbell() {
    for (int queues : new int[] {0, 1, 7, 0xffff}) {
      long last = DoorbellLayout.completionHead(queues, 2);
      assertThat(DoorbellLayout.length(queues, 2)).isEqualTo((queues + 1L) * 8 << 2);
      assertThat(0x1000 + DoorbellLayout.length(queues, 2)).isEqualTo(last + (4 << 2));
    }
  }

  @Test
  void shadowEntriesRepeatTheOrderOfTheDoorbells() {
    for (int dstrd = 0; dstrd < 4; dstrd++) {
      int words = 1 << dstrd;
      assertThat(ShadowDoorbellLayout.submissionTail(5, dstrd)).isEqualTo(4L * (5 * 2 * words));
      assertThat(ShadowDoorbellLayout.completionHead(5, dstrd)).isEqualTo(4L * (5 * 2 * words + words));
      assertThat(ShadowDoorbellLayout.length(5, dstrd)).isEqualTo(6L * 8 * words);
    }
  }

  @Test
  void realDoorbellIsRungExactlyWhenTheEventIndexIsPassed() {
    for (int oldIndex : SAMPLES) {
      for (int newIndex : SAMPLES) {
        for (int event : SAMPLES) {
          int moved = newIndex - oldIndex & 0xffff;
          boolean inside = (event - oldIndex & 0xffff) < moved;
          assertThat(ShadowDoorbellLayout.passesEvent(event, newIndex, oldIndex))
              .as("event %d in [%d, %d)", event, oldIndex, newIndex)
              .isEqualTo(inside);
        }
      }
    }
  }

  @Test
  void controllerMemoryBufferSizeIsCountedInItsUnit() {
    int cmbsz = CmbLayout.SZ.with(CmbLayout.SZU.with(0, 2), 3);
    assertThat(CmbLayout.unit(cmbsz)).isEqualTo(1L << 20);
    assertThat(CmbLayout.size(cmbsz)).isEqualTo(3L << 20);
    assertThat(CmbLayout.offset(CmbLayout.OFST.with(0, 5), cmbsz)).isEqualTo(5L << 20);
    assertThat(CmbLayout.size(0xffffffff)).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void namespaceFormatIndexIsSplitOverItsByte() {
    for (int index = 0; index < IdentifyNamespaceLayout.MAX_FORMATS; index++) {
      int flbas = IdentifyNamespaceLayout.flbas(index, index % 3 == 0);
      assertThat(flbas & 0xf | (flbas >> 5 & 3) << 4).isEqualTo(index);
      assertThat(IdentifyNamespaceLayout.formatIndex(flbas)).isEqualTo(index);
      assertThat(IdentifyNamespaceLayout.FLBAS_EXTENDED.isSet(flbas)).isEqualTo(index % 3 == 0);
      assertThat(IdentifyNamespaceLayout.lbaFormat(index)).isEqualTo(128L + 4 * index);
      assertThat(NvmNamespaceLayout.extendedFormat(index)).isEqualTo(12L + 4 * index);
    }
  }
}
