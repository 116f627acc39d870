package io.twostep.machine.model;

import io.twostep.machine.model.iommu.ModelIommu;
import io.twostep.machine.model.memory.ModelMemory;
import io.twostep.machine.model.pci.ModelSlot;
import io.twostep.machine.model.pci.ModelSpace;

/** Add up what the parts of a machine counted; under the machine's lock. */
final class Totals {
  private long tableReads;
  private long hits;
  private long misses;
  private long publishes;
  private long invalidations;
  private long faults;
  private long unpublished;
  private long stale;
  private long translationNanos;
  private long strays;
  private long notMaster;
  private long busReads;
  private long busWrites;
  private long bytesRead;
  private long bytesWritten;
  private long mmioReads;
  private long mmioWrites;

  void add(ModelSpace space) {
    ModelIommu hardware = space.hardware();
    if (hardware != null) {
      IommuStats counters = hardware.counters();
      tableReads += counters.tableReads();
      hits += counters.hits();
      misses += counters.misses();
      publishes += counters.publishes();
      invalidations += counters.invalidations();
      faults += counters.faults();
      unpublished += counters.unpublished();
      stale += counters.staleAnswers();
      translationNanos += counters.simulatedNanos();
      strays += hardware.strayTableReads();
    }
  }

  void add(ModelSlot slot) {
    strays += slot.traffic().strays();
    notMaster += slot.traffic().notMaster();
    busReads += slot.traffic().reads();
    busWrites += slot.traffic().writes();
    bytesRead += slot.traffic().bytesRead();
    bytesWritten += slot.traffic().bytesWritten();
    mmioReads += slot.mmioReads();
    mmioWrites += slot.mmioWrites();
  }

  MachineStats stats(ModelMemory memory, long steps) {
    return new MachineStats(
        memory.layout().frames(),
        memory.framesInUse(),
        memory.parkedFrames(),
        memory.freeFrames(),
        memory.blocksMapped(),
        tableReads,
        hits,
        misses,
        publishes,
        invalidations,
        faults,
        unpublished,
        stale,
        strays,
        notMaster,
        busReads,
        busWrites,
        bytesRead,
        bytesWritten,
        mmioReads,
        mmioWrites,
        steps,
        translationNanos);
  }
}
