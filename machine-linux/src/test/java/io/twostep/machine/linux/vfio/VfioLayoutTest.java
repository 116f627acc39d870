package io.twostep.machine.linux.vfio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** Numbers and offsets of the user API, as literals: 0x3b00 is ';' in the second byte. */
class VfioLayoutTest {
  @Test
  void requestsHaveTheNumbersOfTheUserApi() {
    assertThat(VfioRequests.GET_API_VERSION.number()).isEqualTo(';' << 8 | 100);
    assertThat(VfioRequests.CHECK_EXTENSION.number()).isEqualTo(';' << 8 | 101);
    assertThat(VfioRequests.SET_IOMMU.number()).isEqualTo(';' << 8 | 102);
    assertThat(VfioRequests.GROUP_GET_STATUS.number()).isEqualTo(';' << 8 | 103);
    assertThat(VfioRequests.GROUP_SET_CONTAINER.number()).isEqualTo(';' << 8 | 104);
    assertThat(VfioRequests.GROUP_UNSET_CONTAINER.number()).isEqualTo(';' << 8 | 105);
    assertThat(VfioRequests.GROUP_GET_DEVICE_FD.number()).isEqualTo(';' << 8 | 106);
    assertThat(VfioRequests.DEVICE_GET_INFO.number()).isEqualTo(';' << 8 | 107);
    assertThat(VfioRequests.DEVICE_GET_REGION_INFO.number()).isEqualTo(';' << 8 | 108);
    assertThat(VfioRequests.DEVICE_GET_IRQ_INFO.number()).isEqualTo(';' << 8 | 109);
    assertThat(VfioRequests.DEVICE_SET_IRQS.number()).isEqualTo(';' << 8 | 110);
    assertThat(VfioRequests.DEVICE_RESET.number()).isEqualTo(';' << 8 | 111);
    assertThat(VfioRequests.IOMMU_GET_INFO.number()).isEqualTo(';' << 8 | 112);
    assertThat(VfioRequests.IOMMU_MAP_DMA.number()).isEqualTo(';' << 8 | 113);
    assertThat(VfioRequests.IOMMU_UNMAP_DMA.number()).isEqualTo(';' << 8 | 114);
    assertThat(VfioRequests.TYPE1_V2).isEqualTo(3);
  }

  @Test
  void structuresHaveTheOffsetsOfTheUserApi() {
    assertThat(new long[] {GroupStatusLayout.FLAGS, GroupStatusLayout.SIZE}).containsExactly(4, 8);
    assertThat(new long[] {DeviceInfoLayout.FLAGS, DeviceInfoLayout.REGIONS, DeviceInfoLayout.INTERRUPTS, DeviceInfoLayout.SIZE})
        .containsExactly(4, 8, 12, 24);
    assertThat(
            new long[] {
              RegionInfoLayout.FLAGS, RegionInfoLayout.INDEX, RegionInfoLayout.FIRST_CAPABILITY, RegionInfoLayout.LENGTH, RegionInfoLayout.OFFSET, RegionInfoLayout.SIZE
            })
        .containsExactly(4, 8, 12, 16, 24, 32);
    assertThat(new long[] {RegionInfoLayout.SPARSE_AREAS, RegionInfoLayout.SPARSE_FIRST, RegionInfoLayout.SPARSE_AREA_SIZE}).containsExactly(8, 16, 16);
    assertThat(new long[] {InterruptLayout.FLAGS, InterruptLayout.INDEX, InterruptLayout.INFO_COUNT, InterruptLayout.INFO_SIZE}).containsExactly(4, 8, 12, 16);
    assertThat(new long[] {InterruptLayout.SET_FIRST, InterruptLayout.SET_COUNT, InterruptLayout.SET_DATA}).containsExactly(12, 16, 20);
    assertThat(new long[] {IommuInfoLayout.FLAGS, IommuInfoLayout.PAGE_SIZES, IommuInfoLayout.FIRST_CAPABILITY, IommuInfoLayout.SIZE})
        .containsExactly(4, 8, 16, 24);
    assertThat(new long[] {MapLayout.FLAGS, MapLayout.MAP_PHYS, MapLayout.MAP_IOVA, MapLayout.MAP_LENGTH, MapLayout.MAP_SIZE})
        .containsExactly(4, 8, 16, 24, 32);
    assertThat(new long[] {MapLayout.UNMAP_IOVA, MapLayout.UNMAP_LENGTH, MapLayout.UNMAP_SIZE}).containsExactly(8, 16, 24);
    assertThat(new int[] {MapLayout.READ, MapLayout.WRITE}).containsExactly(1, 2);
  }

  @Test
  void windowsAndMappingsLeftAreReadFromTheChain() {
    MemorySegment info = info(1, 72, 3, 0);
    IommuInfo read = IommuInfo.of(info);
    assertThat(read.windows()).hasSize(2);
    assertThat(read.windows().getFirst().last()).isEqualTo(0xfedfffffL);
    assertThat(read.windows().getLast().first()).isEqualTo(0xfef00000L);
    assertThat(read.windows().getLast().last()).isEqualTo((1L << 48) - 1);
    assertThat(read.mappingsLeft()).isEqualTo(65535);
    assertThat(read.granule()).isEqualTo(4096);
  }

  @Test
  void capabilitiesAreReadWhereTheyFallAsBeforeLinuxSixSix() {
    MemorySegment info = Arena.ofAuto().allocate(24 + 12 + 32, 8);
    info.set(JAVA_INT, 4, 2);
    info.set(JAVA_INT, 16, 24);
    info.set(JAVA_SHORT, 24, (short) 3);
    info.set(JAVA_INT, 28, 36);
    info.set(JAVA_INT, 32, 77);
    info.set(JAVA_SHORT, 36, (short) 1);
    info.set(JAVA_INT, 44, 1);
    info.set(JAVA_LONG_UNALIGNED, 52, 0x1000);
    info.set(JAVA_LONG_UNALIGNED, 60, (1L << 57) - 1);
    IommuInfo read = IommuInfo.of(info);
    assertThat(read.mappingsLeft()).isEqualTo(77);
    assertThat(read.windows()).singleElement().satisfies(w -> assertThat(new long[] {w.first(), w.last()}).containsExactly(0x1000, (1L << 57) - 1));
  }

  @Test
  void chainThatLeadsBackOrOutsideIsAtItsEnd() {
    assertThat(InfoReader.capability(info(1, 24, 3, 0), 24, 3)).isEqualTo(InfoReader.NONE);
    assertThat(InfoReader.capability(info(1, 72, 9, 24), 24, 3)).isEqualTo(InfoReader.NONE);
    assertThat(InfoReader.capability(info(1, 4096, 3, 0), 24, 3)).isEqualTo(InfoReader.NONE);
    assertThat(InfoReader.capability(info(1, -8, 3, 0), 24, 3)).isEqualTo(InfoReader.NONE);
    assertThat(InfoReader.capability(info(1, 73, 3, 0), 24, 3)).isEqualTo(InfoReader.NONE);
    assertThat(InfoReader.capability(info(1, 72, 3, 0), 0, 3)).isEqualTo(InfoReader.NONE);
    assertThat(InfoReader.capability(info(1, 72, 3, 0), 24, 3)).isEqualTo(72);
  }

  @Test
  void kernelThatTellsNoWindowsGetsTheSmallestKnownWidth() {
    MemorySegment info = Arena.ofAuto().allocate(24, 8);
    IommuInfo read = IommuInfo.of(info);
    assertThat(read.windows()).singleElement().satisfies(w -> assertThat(w.last()).isEqualTo((1L << 39) - 1));
    assertThat(read.granule()).isEqualTo(4096);
  }

  /** Build an answer with the windows at 24 and the mappings left at 72, with the ids and links given. */
  private static MemorySegment info(int firstId, int firstNext, int secondId, int secondNext) {
    MemorySegment info = Arena.ofAuto().allocate(88, 8);
    info.set(JAVA_INT, 0, 88);
    info.set(JAVA_INT, 4, 3);
    info.set(JAVA_LONG, 8, 0x40201000L);
    info.set(JAVA_INT, 16, 24);
    info.set(JAVA_SHORT, 24, (short) firstId);
    info.set(JAVA_INT, 28, firstNext);
    info.set(JAVA_INT, 32, 2);
    info.set(JAVA_LONG, 40, 0xfef00000L);
    info.set(JAVA_LONG, 48, (1L << 48) - 1);
    info.set(JAVA_LONG, 56, 0);
    info.set(JAVA_LONG, 64, 0xfedfffffL);
    info.set(JAVA_SHORT, 72, (short) secondId);
    info.set(JAVA_INT, 76, secondNext);
    info.set(JAVA_INT, 80, 65535);
    return info;
  }
}
