package io.twostep.benchmarks.flow;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Every flow, with the cases it is measured in. */
@SuppressWarnings("ImmutableEnumChecker")
public enum Flows {
  /** Map and unmap one 4 KiB page. */
  MAP_PAGE("map_page", Formats.TABLES, true, List.of(1), MapPageFlow::new),
  /** Unmap the oldest of 512 pages, map a new one. */
  MAP_PAGE_RING("map_page_ring", Formats.TABLES, true, List.of(1), MapPageRingFlow::new),
  /** Reserve, link page by page, sync, destroy. */
  TWO_STEP("two_step", Formats.TABLES, true, Sizes.PAGES, TwoStepFlow::ofPages),
  /** The same pages as one request; also where nothing translates. */
  TRANSFER("transfer", Formats.TABLES_AND_DIRECT, true, Sizes.PAGES, TransferFlow::new),
  /** The same pages through a scatter list; also where nothing translates. */
  MAP_SG("map_sg", Formats.TABLES_AND_DIRECT, true, Sizes.PAGES, ScatterListFlow::new),
  /** Link or unlink a random page of a window. */
  ODP_TOGGLE("odp_toggle", Formats.TABLES, true, List.of(1), ToggleFlow::new),
  /** Take pages from an on-demand region and fault them in again. */
  ODP_FAULT("odp_fault_2m", Formats.TABLES, true, List.of(512), FaultFlow::ofRegion),
  /** The same with a mapping for each page. */
  ODP_FAULT_EACH("odp_fault_2m_page_by_page", Formats.TABLES, true, List.of(512), FaultFlow::pageByPage),
  /** Register 8 GiB in extents of 2 MiB. */
  REGISTER_8G("register_8g", Formats.NONE, false, List.of(4096), RegisterFlow::ofMemory),
  /** The same with one page of a peer in it. */
  REGISTER_8G_PEER("register_8g_peer_page", Formats.NONE, false, List.of(4096), RegisterFlow::withPeerPage),
  /** Look an I/O address up. */
  IOVA_TO_PHYS("iova_to_phys", Formats.TABLES, true, List.of(1), LookupFlow::new),
  /** Map and unmap 2 MiB as one leaf. */
  MAP_2M("map_2m", Formats.TABLES, true, List.of(1), MapHugeFlow::new),
  /** Reserve, link 2 MiB by 2 MiB, sync, destroy. */
  TWO_STEP_2M("two_step_2m", Formats.TABLES, true, List.of(32, 512), TwoStepFlow::ofHugePages),
  /** Free and allocate I/O addresses of mixed sizes. */
  IOVA_MIX("iova_mix_1_32", Formats.NONE, false, List.of(IovaFlow.LIVE), IovaFlow::mixed),
  /** Free and allocate large ranges at random. */
  IOVA_256P("iova_256p", Formats.NONE, false, List.of(IovaFlow.LIVE), IovaFlow::large),
  /** Free and allocate large ranges in turn. */
  IOVA_256P_FIFO("iova_256p_fifo", Formats.NONE, false, List.of(IovaFlow.LIVE), IovaFlow::largeOldestFirst),
  /** Fill and empty a fresh space. */
  IOVA_COLD("iova_cold", Formats.NONE, false, List.of(IovaFlow.LIVE), IovaColdFlow::new),
  /** Bounce with one copy. */
  SWIOTLB_TO_DEVICE("swiotlb_to_device", Formats.NONE, false, Sizes.BYTES, BounceFlow::toDevice),
  /** Bounce with two copies. */
  SWIOTLB_BIDIRECTIONAL("swiotlb_bidirectional", Formats.NONE, false, Sizes.BYTES, BounceFlow::bidirectional);

  private final String text;
  private final List<String> formats;
  private final boolean countsPages;
  private final List<Integer> sizes;
  private final Function<FlowCase, Flow> factory;

  Flows(String text, List<String> formats, boolean countsPages, List<Integer> sizes, Function<FlowCase, Flow> factory) {
    this.text = text;
    this.formats = formats;
    this.countsPages = countsPages;
    this.sizes = sizes;
    this.factory = factory;
  }

  /** Return its name in the comparison. */
  public String text() {
    return text;
  }

  /** Return the formats it is measured with. */
  public List<String> formats() {
    return formats;
  }

  /** Return its cases with one format. */
  List<FlowCase> cases(String format) {
    List<FlowCase> cases = new ArrayList<>();
    for (int n : sizes) {
      for (int threads = 1; threads <= (this == IOVA_COLD ? 1 : 2); threads++) {
        cases.add(new FlowCase(text, format, n, countsPages ? n : 1, threads));
      }
    }
    return cases;
  }

  Flow open(FlowCase of) {
    return factory.apply(of);
  }

  /** What lies below: table formats, or nothing that translates. */
  private static final class Formats {
    private static final List<String> TABLES = List.of(FlowCase.VTD, FlowCase.AMD);
    private static final List<String> TABLES_AND_DIRECT = List.of(FlowCase.VTD, FlowCase.AMD, FlowCase.DIRECT);
    private static final List<String> NONE = List.of(FlowCase.NO_FORMAT);
  }

  /** Not fields of the enum: those are not there yet when its constants are made. */
  private static final class Sizes {
    private static final List<Integer> PAGES = List.of(1, 8, 32, 256, 4096);
    private static final List<Integer> BYTES = List.of(512, 4096, 65536);
  }
}
