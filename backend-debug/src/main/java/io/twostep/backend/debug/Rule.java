package io.twostep.backend.debug;

import java.util.Locale;

/**
 * What the checker knows to be wrong: one constant per class of error, with what it means, what to do, and the rule it breaks.
 *
 * <p>The README's table is this table; a test compares them.
 */
public enum Rule {
  /** A handle that is mapped was asked to map or reserve again. */
  MAPPED_TWICE(
      Group.CALLER,
      "a handle that is mapped was asked to map or reserve again",
      "tear it down first, or take another handle",
      "CONTRACT B handles"),
  /** A handle that never held anything was used or torn down. */
  NEVER_MAPPED(
      Group.CALLER,
      "a handle that never held anything was used or torn down",
      "map or reserve first, and do not go on after a failed map",
      "CONTRACT B handles"),
  /** A handle was torn down a second time. */
  TORN_DOWN_TWICE(
      Group.CALLER,
      "a handle was torn down a second time",
      "tear down in one place; only close() may be repeated",
      "CONTRACT B handles"),
  /** A handle was used after it was torn down. */
  USED_AFTER_TEARDOWN(
      Group.CALLER,
      "a handle was used after it was torn down",
      "keep the handle mapped until its last use, or map it again",
      "CONTRACT B handles"),
  /** A handle was used after it was closed for good. */
  USED_AFTER_CLOSE(
      Group.CALLER,
      "a handle was used after it was closed for good",
      "make a new handle",
      "CONTRACT B handles"),
  /** Two threads were in calls on one handle at once. */
  USED_BY_TWO_THREADS(
      Group.CALLER,
      "two threads were in calls on one handle at once",
      "give each thread its own handle, or lock",
      "CONTRACT B handles"),
  /** A window was freed with ranges still linked. */
  FREED_WHILE_LINKED(
      Group.CALLER,
      "a window was freed with ranges still linked",
      "unlink what is named, or call destroy()",
      "CONTRACT B IovaReservation"),
  /** A length of 0 or less was given. */
  EMPTY_RANGE(
      Group.CALLER,
      "a length of 0 or less was given",
      "skip empty ranges before mapping",
      "CONTRACT B handles"),
  /** A range runs over the end of the 64-bit address space. */
  RANGE_WRAPS(
      Group.CALLER,
      "a range runs over the end of the 64-bit address space",
      "check the sum of address and length",
      "CONTRACT B handles"),
  /** Attribute bits were given that do not exist. */
  UNKNOWN_ATTRIBUTES(
      Group.CALLER,
      "attribute bits were given that do not exist",
      "use the constants of DmaAttributes",
      "CONTRACT A attributes"),
  /** A part lies outside its mapping. */
  OUTSIDE_MAPPING(
      Group.CALLER,
      "a part lies outside its mapping",
      "count offsets from the mapping's first byte, lengths in bytes",
      "CONTRACT B DmaMapping"),
  /** A part lies outside its window. */
  OUTSIDE_WINDOW(
      Group.CALLER,
      "a part lies outside its window",
      "reserve more, or link and sync within the length reserved",
      "CONTRACT B IovaReservation"),
  /** A range was linked whose edges or low bits do not fit the granule. */
  MISALIGNED_LINK(
      Group.CALLER,
      "a range was linked whose edges or low bits do not fit the granule",
      "middle ranges begin and end on the granule; use a transfer for other shapes",
      "CONTRACT B IovaReservation, E9"),
  /** An unlink has edges off the unit. */
  MISALIGNED_UNLINK(
      Group.CALLER,
      "an unlink has edges off the unit",
      "unlink whole units, or up to the end of the window",
      "CONTRACT B IovaReservation"),
  /** A part of a sparse window does not lie on its units. */
  NOT_WINDOW_UNITS(
      Group.CALLER,
      "a part of a sparse window does not lie on its units",
      "round offset and length to DmaMapper.newWindow's unit",
      "CONTRACT B SparseWindow"),
  /** A link or protect asked for more access than the window has. */
  ACCESS_WIDENED(
      Group.CALLER,
      "a link or protect asked for more access than the window has",
      "create the window with the widest access any page needs",
      "E5"),
  /** Peer memory that only a bus address reaches was linked into a window. */
  BUS_ADDRESS_LINKED(
      Group.CALLER,
      "peer memory that only a bus address reaches was linked into a window",
      "use a transfer",
      "CONTRACT B IovaReservation"),
  /** An address that is not memory of this machine was mapped. */
  NOT_MEMORY(
      Group.CALLER,
      "an address that is not memory of this machine was mapped",
      "allocate from the machine's memory(), and check the address",
      "CONTRACT A phys"),
  /** Memory was mapped that was valid once and was freed since. */
  FREED_MEMORY(
      Group.CALLER,
      "memory was mapped that was valid once and was freed since",
      "keep the block open until the last mapping of it is gone",
      "CONTRACT B MemoryBlock"),
  /** The ranges of a request differed when they were read again. */
  SOURCE_CHANGED(
      Group.CALLER,
      "the ranges of a request differed when they were read again",
      "leave the source alone until unmap",
      "CONTRACT B DmaTransfer"),
  /** A range was linked over one that is linked already. */
  LINK_OVERLAPS(
      Group.CALLER,
      "a range was linked over one that is linked already",
      "unlink the earlier one, or choose another offset",
      "CONTRACT B IovaReservation"),
  /** An unlink covers bytes where nothing is linked. */
  UNLINK_OF_HOLE(
      Group.CALLER,
      "an unlink covers bytes where nothing is linked",
      "unlink what was linked, once",
      "CONTRACT B IovaReservation"),
  /** An unlink cuts through a piece that cannot be split. */
  UNLINK_SPLITS(
      Group.CALLER,
      "an unlink cuts through a piece that cannot be split",
      "unlink the whole piece",
      "CONTRACT B IovaReservation"),
  /** Permissions were changed where nothing is linked. */
  PROTECT_OF_HOLE(
      Group.CALLER,
      "permissions were changed where nothing is linked",
      "link first",
      "CONTRACT B SparseWindow"),
  /** Ownership was moved of bytes that are not linked. */
  SYNC_OF_HOLE(
      Group.CALLER,
      "ownership was moved of bytes that are not linked",
      "sync parts of what is linked",
      "CONTRACT B IovaReservation"),
  /** Sync() was called for a part in which nothing is linked. */
  PUBLISH_OF_HOLE(
      Group.CALLER,
      "sync() was called for a part in which nothing is linked",
      "link before sync",
      "CONTRACT B IovaReservation"),
  /** Ownership was moved of a link that the device was never given. */
  SYNC_BEFORE_PUBLISH(
      Group.CALLER,
      "ownership was moved of a link that the device was never given",
      "call sync(offset, length) after the last link",
      "CONTRACT B IovaReservation"),
  /** The CPU wrote to what the device reads, and then took it over instead of handing it over. */
  SYNC_DIRECTION(
      Group.CALLER,
      "the CPU wrote to what the device reads, and then took it over instead of handing it over",
      "call syncForDevice after writing, syncForCpu before",
      "E6"),
  /** The CPU wrote to memory that the device owned. */
  CPU_WROTE_TOO_LATE(
      Group.CALLER,
      "the CPU wrote to memory that the device owned",
      "write before mapping, or call syncForDevice after the last write",
      "E6"),
  /** The CPU wrote to memory that is bounced, so that the device never saw it. */
  BOUNCE_WITHOUT_SYNC(
      Group.CALLER,
      "the CPU wrote to memory that is bounced, so that the device never saw it",
      "call syncForDevice after the last write",
      "E6"),
  /** Bytes that were never written were handed to the device to be read. */
  SENT_UNWRITTEN(
      Group.CALLER,
      "bytes that were never written were handed to the device to be read",
      "write every byte first, or map no more than was written",
      "E3"),
  /** Memory is mapped twice at once and a device may write it. */
  OVERLAPPING_WRITE(
      Group.CALLER,
      "memory is mapped twice at once and a device may write it",
      "tear the earlier mapping down first",
      "E6"),
  /** Two mappings share a cache line, a device may write it, and one of the devices does not see caches. */
  CACHE_LINE_SHARED(
      Group.CALLER,
      "two mappings share a cache line, a device may write it, and one of the devices does not see caches",
      "align buffers to the cache line",
      "E6"),
  /** The same bytes are mapped many times at once. */
  TOO_MANY_OVERLAPS(
      Group.CALLER,
      "the same bytes are mapped many times at once",
      "look for a mapping that is never torn down",
      "E13"),
  /** A device holds more mappings than the limit set. */
  TOO_MANY_MAPPINGS(
      Group.CALLER,
      "a device holds more mappings than the limit set",
      "look for mappings that are never torn down, or raise max-live",
      "E13"),
  /** Memory was freed while it was mapped. */
  MEMORY_GONE(
      Group.CALLER,
      "memory was freed while it was mapped",
      "close blocks and arenas after the last mapping",
      "CONTRACT B MemoryBlock"),
  /** A mapping was never torn down. */
  LEAKED_MAPPING(
      Group.CALLER,
      "a mapping was never torn down",
      "unmap it, or use try-with-resources",
      "E13"),
  /** A window was never given back. */
  LEAKED_WINDOW(
      Group.CALLER,
      "a window was never given back",
      "destroy it, or use try-with-resources",
      "E13"),
  /** Coherent memory was never freed. */
  LEAKED_COHERENT(
      Group.CALLER,
      "coherent memory was never freed",
      "close the buffer or pool",
      "E13"),
  /** A teardown waits in a batch that was never completed. */
  BATCH_NEVER_COMPLETED(
      Group.CALLER,
      "a teardown waits in a batch that was never completed",
      "complete or close every InvalidationBatch",
      "CONTRACT B InvalidationBatch"),
  /** The device used an address after it was unmapped. */
  DEVICE_USED_UNMAPPED(
      Group.DEVICE,
      "the device used an address after it was unmapped",
      "stop the device before unmapping, and wait for its completion",
      "E1"),
  /** The device used a part of a window after it was unlinked. */
  DEVICE_USED_UNLINKED(
      Group.DEVICE,
      "the device used a part of a window after it was unlinked",
      "wait for the device before unlink",
      "E1"),
  /** The device used a link before sync(). */
  DEVICE_USED_UNSYNCED(
      Group.DEVICE,
      "the device used a link before sync()",
      "call sync(offset, length) after the last link, before starting the device",
      "CONTRACT B IovaReservation"),
  /** The device used a part of a window in which nothing was linked. */
  DEVICE_USED_HOLE(
      Group.DEVICE,
      "the device used a part of a window in which nothing was linked",
      "link it, or give the device only what is linked",
      "CONTRACT B IovaReservation"),
  /** The device ran over the end of a mapping. */
  DEVICE_USED_BEYOND_END(
      Group.DEVICE,
      "the device ran over the end of a mapping",
      "check the length given to the device",
      "E3"),
  /** The device accessed a mapping against its direction. */
  DEVICE_USED_WRONG_DIRECTION(
      Group.DEVICE,
      "the device accessed a mapping against its direction",
      "map with the direction the device needs",
      "E5"),
  /** The device used coherent memory after it was freed. */
  DEVICE_USED_FREED_COHERENT(
      Group.DEVICE,
      "the device used coherent memory after it was freed",
      "stop the device's queue before freeing it",
      "E1"),
  /** The device was given a physical address instead of a DMA address. */
  DEVICE_USED_PHYSICAL_ADDRESS(
      Group.DEVICE,
      "the device was given a physical address instead of a DMA address",
      "give it the handle's dmaAddress() or address()",
      "CONTRACT A phys"),
  /** The device used an address that was never mapped. */
  DEVICE_USED_UNKNOWN_ADDRESS(
      Group.DEVICE,
      "the device used an address that was never mapped",
      "look for an address computed wrongly or never initialised",
      "E3"),
  /** A layer below has a granule or unit that cannot be. */
  BELOW_BAD_GEOMETRY(
      Group.STACK,
      "a layer below has a granule or unit that cannot be",
      "granule and unit are powers of two, the unit not below the granule",
      "CONTRACT C DmaOps"),
  /** A layer below changed granule, unit or translation while attached. */
  BELOW_GEOMETRY_CHANGED(
      Group.STACK,
      "a layer below changed granule, unit or translation while attached",
      "keep them for the life of the ops",
      "CONTRACT C DmaOps"),
  /** An untrusted device was attached where nothing translates. */
  BELOW_UNTRUSTED_UNTRANSLATED(
      Group.STACK,
      "an untrusted device was attached where nothing translates",
      "refuse it in attach",
      "E4"),
  /** A layer below answered an address with other low bits than the memory's. */
  BELOW_NOT_CONGRUENT(
      Group.STACK,
      "a layer below answered an address with other low bits than the memory's",
      "keep the low bits of granule and minimum-alignment mask",
      "E9"),
  /** A layer below answered an address beyond the device's reach. */
  BELOW_OUT_OF_REACH(
      Group.STACK,
      "a layer below answered an address beyond the device's reach",
      "check mask and bus limit, or throw OUT_OF_REACH",
      "CONTRACT C terminal"),
  /** A layer below answered an address that must not be handed out. */
  BELOW_RESERVED_ADDRESS(
      Group.STACK,
      "a layer below answered an address that must not be handed out",
      "keep AddressSpace.reserved() out of the allocator",
      "CONTRACT C terminal"),
  /** A layer below answered an address that a live mapping has. */
  BELOW_ADDRESS_TAKEN(
      Group.STACK,
      "a layer below answered an address that a live mapping has",
      "two mappings never share an address",
      "CONTRACT C terminal"),
  /** A layer below handed an address out again before its invalidation was complete. */
  BELOW_ADDRESS_REUSED_EARLY(
      Group.STACK,
      "a layer below handed an address out again before its invalidation was complete",
      "free addresses in retire",
      "E1"),
  /** A layer below set another length than was asked for. */
  BELOW_WRONG_LENGTH(
      Group.STACK,
      "a layer below set another length than was asked for",
      "set state.length to the bytes asked for",
      "CONTRACT C DmaOps"),
  /** A layer below allocated fewer bytes than were asked for. */
  BELOW_ALLOCATED_TOO_LITTLE(
      Group.STACK,
      "a layer below allocated fewer bytes than were asked for",
      "allocate whole granules that hold the range",
      "E2"),
  /** A layer below dropped flags of the request. */
  BELOW_CLEARED_FLAGS(
      Group.STACK,
      "a layer below dropped flags of the request",
      "add bits after the call below, clear none",
      "CONTRACT C MappingState"),
  /** A layer below bounced, or needs sync for, a mapping that must be coherent. */
  BELOW_IGNORED_COHERENCE(
      Group.STACK,
      "a layer below bounced, or needs sync for, a mapping that must be coherent",
      "throw COHERENCE_REQUIRED or BOUNCE_FORBIDDEN",
      "E6"),
  /** A layer below does not ask for sync although the device does not see caches. */
  BELOW_NO_SYNC_ASKED(
      Group.STACK,
      "a layer below does not ask for sync although the device does not see caches",
      "set NEEDS_SYNC in state.flags",
      "E6"),
  /** A layer below shows an untrusted device bytes outside the mapping. */
  BELOW_EXPOSED_NEIGHBOURS(
      Group.STACK,
      "a layer below shows an untrusted device bytes outside the mapping",
      "bounce edges off the granule",
      "E4"),
  /** A layer below threw what the contract does not know. */
  BELOW_WRONG_EXCEPTION(
      Group.STACK,
      "a layer below threw what the contract does not know",
      "throw DmaMappingException with a reason",
      "CONTRACT C DmaOps"),
  /** A layer below does not find the memory behind a link. */
  BELOW_PHYS_WRONG(
      Group.STACK,
      "a layer below does not find the memory behind a link",
      "answer the caller's physical address in physOf",
      "CONTRACT C DmaOps"),
  /** A layer below still finds memory where it was unlinked. */
  BELOW_STILL_LINKED(
      Group.STACK,
      "a layer below still finds memory where it was unlinked",
      "clear the translation in unlink",
      "E1"),
  /** A layer below accepted what it must refuse. */
  BELOW_ACCEPTED_MISUSE(
      Group.STACK,
      "a layer below accepted what it must refuse",
      "check before anything changes",
      "E12"),
  /** A call below failed and changed something all the same. */
  BELOW_CHANGED_ON_FAILURE(
      Group.STACK,
      "a call below failed and changed something all the same",
      "undo before throwing",
      "CONTRACT B handles"),
  /** A translation was refused that is mapped and was synced. */
  BELOW_TRANSLATION_LOST(
      Group.STACK,
      "a translation was refused that is mapped and was synced",
      "keep translations until they are unlinked, and publish them in publish",
      "CONTRACT C DmaOps"),
  /** A layer below classified memory as something unknown. */
  BELOW_BAD_KIND(
      Group.STACK,
      "a layer below classified memory as something unknown",
      "answer a constant of RangeKind",
      "CONTRACT A kind"),
  /** Another layer overwrote this layer's part of a state. */
  STATE_WORD_OVERWRITTEN(
      Group.STACK,
      "another layer overwrote this layer's part of a state",
      "use the layer index given at attach",
      "CONTRACT C MappingState"),
  /** A layer above mapped or reserved with a state that is live. */
  STATE_REUSED(
      Group.STACK,
      "a layer above mapped or reserved with a state that is live",
      "take a state of its own for each mapping",
      "CONTRACT C MappingState"),
  /** A layer above used a state that was never mapped. */
  STATE_UNKNOWN(
      Group.STACK,
      "a layer above used a state that was never mapped",
      "map or reserve first",
      "CONTRACT C MappingState"),
  /** A layer above unmapped a window, or released a mapping. */
  WRONG_TEARDOWN(
      Group.STACK,
      "a layer above unmapped a window, or released a mapping",
      "unmap what map made, release what reserve made",
      "CONTRACT C DmaOps"),
  /** A link has another direction or other attributes than its window. */
  DIRECTION_CHANGED(
      Group.STACK,
      "a link has another direction or other attributes than its window",
      "pass the reservation's flags",
      "E5"),
  /** A release came out of order, twice, or was never registered. */
  RETIRED_OUT_OF_ORDER(
      Group.STACK,
      "a release came out of order, twice, or was never registered",
      "release through Retirement only, once, phase by phase",
      "E1");

  /** Whose error it is. */
  public enum Group {
    /** The driver's: the code that calls {@code io.twostep.dma}. */
    CALLER,
    /** The device's, or of whoever told it where to go. */
    DEVICE,
    /** A backend's, above or below the checker. */
    STACK
  }

  private final Group group;
  private final String meaning;
  private final String remedy;
  private final String reference;

  Rule(Group group, String meaning, String remedy, String reference) {
    this.group = group;
    this.meaning = meaning;
    this.remedy = remedy;
    this.reference = reference;
  }

  /** Return whose error it is. */
  public Group group() {
    return group;
  }

  /** Return what happened, as half a sentence. */
  public String meaning() {
    return meaning;
  }

  /** Return what to do about it, as an imperative. */
  public String remedy() {
    return remedy;
  }

  /** Return the rule of the contract that was broken. */
  public String reference() {
    return reference;
  }

  /** Return the name as settings have it: lower case with hyphens. */
  public String text() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
