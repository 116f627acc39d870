package io.twostep.examples.broken;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.Backend;
import io.twostep.dma.spi.DmaOps;

/** One mistake each that a backend's author may make, the stack it is made in, and the rule whose test must notice. */
enum Defect {
  PROTECTS_FROM_THE_START(Base.IOMMU, "e5d", BrokenLinks.ProtectsFromTheStart::new),
  PROTECTS_WHAT_FOLLOWS(Base.IOMMU, "e5d", BrokenLinks.ProtectsWhatFollows::new),
  LINKS_EDGES_AS_THEY_ARE(Base.BOUNCE_UNTRUSTED, "e4b", BrokenLinks.LinksEdgesAsTheyAre::new),
  DEFERS_WINDOWS_OF_STRANGERS(Base.LAZY_IOMMU, "e4c", BrokenWorld.trustsEverybody(), BrokenTeardown.DefersWindows::new),
  HANDS_OVER_AGAIN(Base.BOUNCE_UNTRUSTED, "e6q", BrokenLinks.HandsOverAgain::new),
  HANDS_OVER_THE_WHOLE_WINDOW(Base.BOUNCE_UNTRUSTED, "e6q", BrokenLinks.HandsOverTheWholeWindow::new),
  CONFIRMS_WINDOWS_BLINDLY(Base.IOMMU, "e1d", BrokenTeardown.swallowsFailuresWhenTold(), BrokenTeardown.ConfirmsWindowsBlindly::new),
  FORGETS_CACHES_OF_WINDOWS(Base.IOMMU, "e6m", BrokenLinks.ForgetsCachesOfWindows::new),
  SYNCS_NO_FOREIGN_MEMORY(Base.BOUNCE, "e6k", BrokenBounce.SyncsNoForeignMemory::new),
  LEAVES_HALF_AN_ATTACH(Base.IOMMU, "e13c", BrokenHabits.LeavesHalfAnAttach::new),
  IGNORES_THE_BUS(Base.IOMMU, "e9d", BrokenWorld.ignoresTheBus(), Healthy::new),
  HANDS_OUT_RESERVED_ADDRESSES(Base.IOMMU, "e9e", BrokenWorld.reservesNothing(), Healthy::new),
  HANDS_OUT_WHAT_THE_HOST_REFUSES(Base.HOST, "e9e", BrokenWorld.ignoresWindows(), Healthy::new),
  KEEPS_DEVICES_OF_A_GROUP_APART(Base.IOMMU, "p5b", BrokenWorld.keepsDevicesApart(), Healthy::new),
  READABLE_WHERE_NOBODY_ASKED(Base.MODEST_WHERE_WRITERS_READ, "e5e", BrokenMaps.AlwaysReadable::new),
  FORGETS_COPY_IN_OF_FOREIGN_MEMORY(Base.BOUNCE, "e6k", BrokenBounce.ForgetsCopyInOfForeignMemory::new),
  WRITES_FOREIGN_MEMORY_BACK(Base.BOUNCE, "e6k", BrokenBounce.WritesForeignMemoryBack::new),
  GATHERS_OVER_OLD_BYTES(Base.BOUNCE, "e3g", BrokenGathering.CopiesNothingIn::new),
  UNLINKS_PIECE_BY_PIECE(Base.HOST, "e12d", BrokenLinks.UnlinksPieceByPiece::new),
  FORGETS_PUBLISH(Base.IOMMU, "e6a", BrokenHardware.forgetsPublish(), Healthy::new),
  PUBLISHES_AT_LINK(Base.IOMMU, "e6a", BrokenLinks.PublishesAtLink::new),
  FORGETS_INVALIDATION(Base.IOMMU, "e1a", BrokenHardware.forgetsInvalidation(), Healthy::new),
  INVALIDATES_ONE_GRANULE(Base.IOMMU, "e7a", BrokenHardware.invalidatesOneGranule(), Healthy::new),
  FORGETS_THAT_TABLES_CHANGED(Base.IOMMU, "e1g", BrokenHardware.forgetsThatTablesChanged(), Healthy::new),
  SWALLOWS_FAILED_INVALIDATION(Base.IOMMU, "e1d", BrokenHardware.swallowsFailure(), Healthy::new),
  REUSES_ADDRESSES_EARLY(Base.IOMMU, "e1b", BrokenTeardown.remembersInvalidation(), BrokenTeardown.ReleasesEarly::new),
  REUSES_SLOTS_EARLY(Base.BOUNCE_UNTRUSTED, "e1c", BrokenTeardown.remembersInvalidation(), BrokenTeardown.ReleasesEarly::new),
  TAKES_CACHE_LINES_BACK_EARLY(
      Base.IOMMU_NOT_SNOOPING, "e1c", BrokenCaches.remembersTheirOwner(), BrokenCaches.TakesLinesBackEarly::new),
  FORGETS_STRICT(Base.LAZY_IOMMU, "e7d", BrokenTeardown.ForgetsStrict::new),
  COPIES_OUT_WHAT_FAILED(Base.BOUNCE, "e2d", BrokenBounce.CopiesOutWhatFailed::new),
  FREES_WHAT_IT_REMEMBERS(Base.IOMMU, "e2a", BrokenTeardown.FreesLinkedLength::new),
  FORGETS_RELEASE(Base.IOMMU, "e2a", BrokenTeardown.ForgetsRelease::new),
  CLOSE_IS_NOT_FORWARDED(Base.IOMMU, "e13a", BrokenTeardown.KeepsNextOpen::new),
  MAPS_ONE_GRANULE_MORE(Base.IOMMU, "e3a", BrokenMaps.MapsOneGranuleMore::new),
  ALWAYS_WRITABLE(Base.IOMMU, "e5a", BrokenMaps.AlwaysWritable::new),
  ALWAYS_READABLE(Base.IOMMU, "e5b", BrokenMaps.AlwaysReadable::new),
  LINKS_READ_WRITE(Base.IOMMU, "e5c", BrokenLinks.LinksReadWrite::new),
  READABLE_WHERE_WRITERS_READ(Base.BOUNCE_WHERE_WRITERS_READ, "e5e", BrokenMaps.AlwaysReadable::new),
  LINKS_WHAT_WRITERS_READ(Base.BOUNCE_WHERE_WRITERS_READ, "e5f", BrokenLinks.LinksReadWrite::new),
  PROTECTS_NOTHING(Base.IOMMU, "e5d", BrokenLinks.ProtectsNothing::new),
  LOSES_LOW_BITS(Base.IOMMU, "e9a", BrokenMaps.LosesLowBits::new),
  IGNORES_ALIGNMENT(Base.IOMMU, "e9c", BrokenLinks.IgnoresAlignment::new),
  MAPS_IN_PLACE_WHAT_LIES_BEYOND(Base.DIRECT, "e9d", BrokenMaps.MapsAllInPlace::new),
  MAPS_IN_PLACE_WHAT_IT_MUST_MAINTAIN(Base.DIRECT_NOT_SNOOPING, "e6j", BrokenMaps.MapsAllInPlace::new),
  IGNORES_REACH(Base.IOMMU, "e9d", BrokenWorld.ignoresReach(), Healthy::new),
  ACCEPTS_OVERLAP(Base.IOMMU, "e12b", BrokenLinks.AcceptsOverlap::new),
  LEAVES_HALF_A_LINK(Base.IOMMU, "e12b", BrokenLinks.LeavesHalfALink::new),
  ACCEPTS_HOLES(Base.IOMMU, "e12c", BrokenLinks.AcceptsHoles::new),
  RUN_IS_NOT_ALL_OR_NOTHING(Base.IOMMU, "e12e", BrokenLinks.LinksOneByOne::new),
  WRONG_REASON(Base.IOMMU, "e12a", BrokenLinks.WrongReason::new),
  ANSWERS_ITS_OWN_ADDRESS(Base.IOMMU, "e10b", BrokenMaps.AnswersItsOwnAddress::new),
  MAKES_GARBAGE(Base.IOMMU, "e10a", BrokenLinks.MakesGarbage::new),
  TRUSTS_EVERYBODY(Base.IOMMU, "e4b", BrokenWorld.trustsEverybody(), Healthy::new),
  SERVES_UNTRUSTED_DIRECTLY(Base.DIRECT, "e4a", BrokenWorld.trustsEverybody(), Healthy::new),
  IGNORES_COHERENCE(Base.DIRECT, "e6m", BrokenWorld.ignoresCoherence(), Healthy::new),
  FORGETS_COPY_BACK(Base.BOUNCE, "e6c", BrokenBounce.ForgetsCopyBack::new),
  COPIES_BACK_TOO_MUCH(Base.BOUNCE, "e5a", BrokenBounce.CopiesBackTooMuch::new),
  FORGETS_COPY_IN(Base.BOUNCE, "e6e", BrokenBounce.ForgetsCopyIn::new),
  SYNCS_AT_THE_START(Base.BOUNCE, "e6f", BrokenBounce.SyncsAtTheStart::new),
  SYNCS_EVERYTHING(Base.BOUNCE, "e6f", BrokenBounce.SyncsEverything::new),
  SYNCS_THE_WRONG_WAY(Base.BOUNCE, "e6b", BrokenBounce.SyncsTheWrongWay::new),
  BOUNCES_WHAT_IT_MAY_NOT(Base.BOUNCE, "e6i", BrokenBounce.BouncesWhatItMayNot::new),
  LOSES_SLOTS(Base.BOUNCE, "e12j", BrokenBounce.LosesSlots::new),
  GATHERS_THE_LAST_RANGE_FIRST(Base.BOUNCE, "e3e", BrokenGathering.TakesTheLastRangeFirst::new),
  GATHERS_WHAT_LIES_BETWEEN(Base.BOUNCE, "e3e", BrokenGathering.TakesWhatLiesBetween::new),
  SYNCS_THE_START_OF_WHAT_WAS_GATHERED(Base.BOUNCE, "e3f", BrokenBounce.SyncsAtTheStart::new),
  GATHERS_AND_COPIES_NOTHING_BACK(Base.BOUNCE, "e3g", BrokenGathering.CopiesNothingBack::new),
  NEEDS_ITS_DEVICE_TO_UNMAP(Base.IOMMU, "e12l", BrokenDeparture.NeedsItsDevice::new),
  DEFERS_AFTER_DETACH(Base.LAZY_IOMMU, "e12l", BrokenDeparture.DefersAnyway::new),
  CONFIRMS_WHAT_FAILED_AFTER_DETACH(Base.IOMMU, "e12m", BrokenHardware.swallowsFailure(), Healthy::new),
  ENDS_WITH_ITS_MAPPER(Base.BOUNCE, "e13d", BrokenDeparture.EndsWithItsMapper::new),
  NEEDS_ITS_MACHINE_TO_UNMAP(Base.IOMMU, "e13e", BrokenDeparture.NeedsItsMachine::new),
  MISSES_THE_PEERS_PLACE(Base.PEERS_ON_THE_BUS, "e14a", BrokenPeers.MissesThePlace::new),
  TAKES_PEERS_FOR_MEMORY(Base.PEERS_ON_THE_BUS, "e14b", BrokenPeers.SeesNoDifference::new),
  LINKS_BUS_ADDRESSES(Base.PEERS_ON_THE_BUS, "e14c", BrokenPeers.SendsAllThroughTheHost::new),
  LEAVES_WHAT_IS_TAKEN_BACK(Base.PEERS_THROUGH_THE_HOST, "e14d", BrokenPeers.LeavesPeersMapped::new),
  ASKS_THE_DEVICE_THAT_WAS_STOPPED(Base.PEERS_ON_THE_BUS, "e14e", BrokenPeers.AsksTheDevice::new),
  ASKS_THE_DEVICE_OF_A_PEER_THAT_IS_GONE(Base.PEERS_ON_THE_BUS, "e14g", BrokenPeers.AsksTheDevice::new),
  GIVES_BUS_ADDRESSES_TO_EVERYBODY(Base.PEERS_ON_THE_BUS, "e14f", BrokenPeers.AsksNobodysTrust::new),
  FORGETS_WHAT_IT_TOLD(Base.IOMMU, "e15a", BrokenTracking.ForgetsWhatItTold::new),
  DROPS_MARKS_AT_UNLINK(Base.IOMMU, "e15b", BrokenTracking.DropsMarksAtUnlink::new),
  KEEPS_CACHED_MARKS(Base.IOMMU, "e15c", BrokenTeardown.remembersInvalidation(), BrokenTracking.KeepsCachedMarks::new),
  FORGETS_MARKS_ON_FAILURE(Base.IOMMU, "e15d", BrokenTracking.ForgetsOnFailure::new),
  LETS_TWO_TRACK(Base.IOMMU, "e15e", BrokenTracking.LetsTwoTrack::new),
  GIVES_EACH_DEVICE_A_TRACKER(Base.IOMMU, "e15f", BrokenTracking.ATrackerForEachDevice::new),
  FORGETS_MAPPINGS_OF_EARLIER_STACKS(Base.IOMMU, "e16a", BrokenDeparture.ForgetsEarlierAttach::new),
  FORGETS_WINDOWS_OF_EARLIER_STACKS(Base.IOMMU, "e16b", BrokenDeparture.ForgetsEarlierAttach::new),
  TRACKS_THE_FIRST_STACK_ONLY(Base.IOMMU, "e16c", BrokenTracking.SeesItsFirstStackOnly::new),
  FORGETS_NOTHING_BELOW(Base.BOUNCE, "e13f", BrokenKeeping.ForgetsNothingBelow::new),
  FORGETS_ONLY_WHAT_WENT_WELL(Base.BOUNCE_UNTRUSTED, "e13f", BrokenKeeping.ForgetsOnlyWhatWentWell::new),
  FORGETS_NOT_ITS_OWN_STATE(Base.BOUNCE, "e13f", BrokenKeeping.ForgetsNotItsOwnState::new),
  HOARDS_ADDRESSES(Base.IOMMU, "e12n", BrokenKeeping.HoardsAddresses::new),
  HOARDS_SLOTS(Base.BOUNCE, "e12n", BrokenKeeping.HoardsSlots::new),
  KEEPS_FOR_THOSE_WHO_ARE_GONE(Base.IOMMU, "e12n", BrokenKeeping.KeepsForThoseWhoAreGone::new),
  SERVES_AFTER_CLOSE(Base.IOMMU, "p5c", sound -> {}),
  PASSES_ON_AFTER_CLOSE(Base.BOUNCE, "p5c", sound -> {}),
  RESETS_THE_DEVICE_AT_ATTACH(Base.IOMMU, "p5a", BrokenHabits.ResetsTheDevice::new),
  GIVES_STALE_ADDRESSES_OUT(Base.IOMMU, "e1e", BrokenTeardown.remembersInvalidation(), BrokenTeardown.ReleasesEarly::new),
  LEAVES_UNLINKED_MEMORY_CACHED(Base.IOMMU, "e1f", BrokenHardware.forgetsInvalidation(), Healthy::new),
  LEAVES_UNITS_CACHED(Base.IOMMU, "e11a", BrokenHardware.forgetsInvalidation(), Healthy::new),
  LEAVES_BATCHES_CACHED(Base.IOMMU, "e7b", BrokenHardware.forgetsInvalidation(), Healthy::new),
  ANSWERS_ONE_ADDRESS_TWICE(Base.IOMMU, "e2b", BrokenMaps.AnswersAnEarlierAddress::new),
  PUTS_COHERENT_MEMORY_IN_ONE_GRANULE(Base.IOMMU, "e4e", BrokenMaps.AnswersAnEarlierAddress::new),
  LEAVES_SCRATCH_MEMORY_WHERE_IT_REFUSES(Base.IOMMU, "e2c", BrokenHabits.LeavesScratchMemory::new),
  LEAVES_SCRATCH_MEMORY_WHERE_IT_FAILS(Base.IOMMU, "e13c", BrokenHabits.LeavesScratchMemory::new),
  HOARDS_MEMORY(Base.IOMMU, "e13b", BrokenHabits.HoardsMemory::new),
  ANSWERS_ONE_ADDRESS_FOR_ALL_RANGES(Base.BOUNCE, "e3b", BrokenMaps.AnswersAnEarlierAddress::new),
  LOSES_LOW_BITS_OF_WINDOWS(Base.IOMMU, "e9b", BrokenHabits.LosesLowBitsOfWindows::new),
  FILLS_HOLES(Base.IOMMU, "e3c", BrokenHabits.FillsHoles::new),
  REPEATS_THE_FIRST_RANGE(Base.IOMMU, "e3d", BrokenHabits.RepeatsTheFirstRange::new),
  DEFERS_FOR_STRANGERS(Base.LAZY_IOMMU, "e4c", BrokenWorld.trustsEverybody(), Healthy::new),
  ASKS_ONE_MEMBER_OF_THE_GROUP(Base.IOMMU, "e4d", BrokenWorld.trustsEverybody(), Healthy::new),
  BOUNCES_THE_NEIGHBOURS(Base.BOUNCE, "e6d", BrokenBounce.BouncesTheNeighbours::new),
  SYNCS_BACK_EVERYTHING(Base.BOUNCE, "e6g", BrokenBounce.SyncsEverything::new),
  ASKS_FOR_SYNC(Base.IOMMU, "e6h", BrokenMaps.AsksForSync::new),
  SYNCS_THE_START_OF_REQUESTS(Base.BOUNCE, "e6j", BrokenBounce.SyncsAtTheStart::new),
  FORGETS_FOREIGN_MEMORY(Base.BOUNCE, "e6k", BrokenBounce.ForgetsForeignMemory::new),
  FORGETS_WHAT_WAS_OVERWRITTEN(Base.BOUNCE, "e6l", BrokenBounce.ForgetsCopyBack::new),
  SHARES_CACHE_LINES(Base.DIRECT, "e6n", BrokenWorld.ignoresCoherence(), Healthy::new),
  BOUNCES_COHERENT_MEMORY(Base.BOUNCE, "e6o", BrokenBounce.BouncesCoherentMemory::new),
  FORGETS_COPY_BACK_NOW_AND_THEN(Base.BOUNCE, "e6p", BrokenBounce.ForgetsCopyBack::new),
  BOUNCES_NOTHING(Base.BOUNCE, "e7c", BrokenBounce.BouncesNothing::new),
  SKIPS_QUIESCENCE(Base.LAZY_IOMMU, "e7e", BrokenHabits.SkipsQuiescence::new),
  HIDES_LAZINESS(Base.LAZY_IOMMU, "e7f", BrokenHabits.HidesLaziness::new),
  FORGETS_ITS_FLUSHES(Base.LAZY_IOMMU, "e7g", BrokenHabits.ForgetsItsFlushes::new),
  WRITES_MAPPINGS_DOWN(Base.IOMMU, "e8a", BrokenHabits.WritesCallsDown::new),
  WRITES_REQUESTS_DOWN(Base.DIRECT, "e8b", BrokenHabits.WritesCallsDown::new),
  BELONGS_TO_ONE_THREAD(Base.IOMMU, "e8c", BrokenHabits.BelongsToOneThread::new),
  LINKS_FOR_ONE_THREAD(Base.IOMMU, "e8d", BrokenHabits.BelongsToOneThread::new),
  REPLACES_UNITS(Base.IOMMU, "e11b", BrokenLinks.AcceptsOverlap::new),
  UNLINKS_NOTHING(Base.IOMMU, "e11c", BrokenHabits.UnlinksNothing::new),
  UNLINKS_ONE_MORE(Base.IOMMU, "e12d", BrokenHabits.UnlinksOneMore::new),
  SERVES_ANY_ADDRESS_SPACE(Base.DIRECT, "e12g", BrokenWorld.seesNoTranslation(), Healthy::new),
  DELIVERS_NOTHING_AFTER_DETACH(Base.BOUNCE, "e12h", BrokenBounce.ForgetsCopyBack::new),
  ACCEPTS_EDGES_IT_CANNOT_SERVE(Base.IOMMU_NOT_SNOOPING, "e12i", BrokenWorld.ignoresCoherence(), Healthy::new);

  /** The stack a mistake is made in. */
  enum Base {
    IOMMU,
    LAZY_IOMMU,
    IOMMU_NOT_SNOOPING,
    DIRECT,
    DIRECT_NOT_SNOOPING,
    BOUNCE,
    BOUNCE_UNTRUSTED,
    BOUNCE_WHERE_WRITERS_READ,
    MODEST_WHERE_WRITERS_READ,
    HOST,
    PEERS_ON_THE_BUS,
    PEERS_THROUGH_THE_HOST
  }

  /** Puts a mistake above sound ops. */
  interface Ops {
    DmaOps above(DmaOps sound, AttachContext context);
  }

  /** Shows a sound backend a world that is not so. */
  interface World {
    AttachContext seen(AttachContext context);
  }

  /** Ends a sound backend. */
  interface End {
    void close(Backend sound);
  }

  private final Base base;
  private final String rule;
  private final World world;
  private final Ops ops;
  private final End end;

  Defect(Base base, String rule, World world, Ops ops, End end) {
    this.base = base;
    this.rule = rule;
    this.world = world;
    this.ops = ops;
    this.end = end;
  }

  Defect(Base base, String rule, World world, Ops ops) {
    this(base, rule, world, ops, Backend::close);
  }

  Defect(Base base, String rule, End end) {
    this(base, rule, context -> context, Healthy::new, end);
  }

  Defect(Base base, String rule, Ops ops) {
    this(base, rule, context -> context, ops);
  }

  Base base() {
    return base;
  }

  /** Returns the rule that the tests which must fail name. */
  String rule() {
    return rule;
  }

  World world() {
    return world;
  }

  Ops ops() {
    return ops;
  }

  End end() {
    return end;
  }
}
