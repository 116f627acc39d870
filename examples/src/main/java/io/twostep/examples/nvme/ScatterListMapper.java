package io.twostep.examples.nvme;

import io.twostep.device.nvme.RequestMapper;
import io.twostep.device.nvme.RequestMapping;
import io.twostep.dma.DmaMapper;

/**
 * Maps requests the way kernels did before two steps: copy the request into a list with an entry per range, map the list, and walk it again for the
 * device.
 *
 * <p>Behind an IOMMU the list gets one window; every entry is linked by itself and neighbours are merged afterwards. Without one every entry is
 * mapped by itself. Each entry keeps four words until unmap: address and length on both sides.
 */
public final class ScatterListMapper implements RequestMapper {
  private static final long PAGE = 4096;

  /** Create the mapper; ServiceLoader does. */
  public ScatterListMapper() {}

  @Override
  public String name() {
    return Strategy.SCATTER_LIST.text();
  }

  @Override
  public RequestMapping newMapping(DmaMapper mapper, long maxBytes) {
    // A page per entry, and one more because requests begin anywhere in a page.
    return new ScatterListMapping(mapper, Math.toIntExact(maxBytes / PAGE) + 1);
  }

  @Override
  public boolean merges() {
    return true;
  }
}
