package io.twostep.device.nvme.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Compares the layouts with the offsets of the specification, typed a second time from its tables. */
class LayoutTest {
  /** Second names for the same bytes. */
  private static final Set<String> ALIASES =
      Set.of(
          "CqeLayout.RESULT_LOW",
          "QueueCommandLayout.COMPLETION_QUEUE_ID",
          "SglDescriptorLayout.RESERVED_AND_IDENTIFIER");

  private record Named(String name, Field field) {}

  @ParameterizedTest
  @ValueSource(
      classes = {
        RegisterLayout.class,
        SqeLayout.class,
        CqeLayout.class,
        SglDescriptorLayout.class,
        ReadWriteCommandLayout.class,
        DsmCommandLayout.class,
        DsmRangeLayout.class,
        QueueCommandLayout.class,
        IdentifyCommandLayout.class,
        LogPageCommandLayout.class,
        FeatureCommandLayout.class,
        AbortCommandLayout.class,
        HostMemoryBufferLayout.class,
        LbaFormatLayout.class,
        ExtendedLbaFormatLayout.class,
        IdentifyControllerLayout.class,
        IdentifyNamespaceLayout.class,
        IndependentNamespaceLayout.class,
        NvmNamespaceLayout.class,
        NvmControllerLayout.class,
        NamespaceDescriptorLayout.class,
        ErrorLogLayout.class,
        SmartLogLayout.class,
        FirmwareSlotLayout.class
      })
  void fieldsAreAlignedInsideAndApart(Class<?> layout) throws ReflectiveOperationException {
    List<Named> fields = fields(layout);
    assertThat(fields).isNotEmpty();
    int size = size(layout);
    int end = 0;
    for (Named named : fields) {
      Field field = named.field();
      assertThat(field.offset()).as("%s begins after its neighbour", named.name()).isGreaterThanOrEqualTo(end);
      if (!(field instanceof Bytes)) {
        assertThat(field.offset() % field.width()).as("%s is aligned", named.name()).isZero();
      }
      end = field.offset() + field.width();
    }
    assertThat(end).isLessThanOrEqualTo(size);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ' ',
      value = {
        "Register 4096",
        "Sqe 64",
        "Cqe 16",
        "SglDescriptor 16",
        "DsmRange 16",
        "HostMemoryBuffer 16",
        "LbaFormat 4",
        "ExtendedLbaFormat 4",
        "IdentifyController 4096",
        "IdentifyNamespace 4096",
        "IndependentNamespace 4096",
        "NvmNamespace 4096",
        "NvmController 4096",
        "NamespaceDescriptor 4",
        "ErrorLog 64",
        "SmartLog 512",
        "FirmwareSlot 512"
      })
  void structuresHaveTheirSize(String name, int size) throws ReflectiveOperationException {
    assertThat(size(layout(name))).isEqualTo(size);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ' ',
      value = {
        "Register CAP 0x00 8",
        "Register VS 0x08 4",
        "Register INTMS 0x0c 4",
        "Register INTMC 0x10 4",
        "Register CC 0x14 4",
        "Register CSTS 0x1c 4",
        "Register NSSR 0x20 4",
        "Register AQA 0x24 4",
        "Register ASQ 0x28 8",
        "Register ACQ 0x30 8",
        "Register CMBLOC 0x38 4",
        "Register CMBSZ 0x3c 4",
        "Register BPINFO 0x40 4",
        "Register BPRSEL 0x44 4",
        "Register BPMBL 0x48 8",
        "Register CMBMSC 0x50 8",
        "Register CRTO 0x68 4",
        "Sqe OPCODE 0 1",
        "Sqe FLAGS 1 1",
        "Sqe COMMAND_ID 2 2",
        "Sqe NSID 4 4",
        "Sqe CDW2 8 4",
        "Sqe CDW3 12 4",
        "Sqe MPTR 16 8",
        "Sqe PRP1 24 8",
        "Sqe PRP2 32 8",
        "Sqe CDW10 40 4",
        "Sqe CDW15 60 4",
        "Cqe RESULT 0 8",
        "Cqe SQ_HEAD 8 2",
        "Cqe SQ_ID 10 2",
        "Cqe COMMAND_ID 12 2",
        "Cqe STATUS_PHASE 14 2",
        "SglDescriptor ADDRESS 0 8",
        "SglDescriptor LENGTH 8 4",
        "SglDescriptor RESERVED 12 3",
        "SglDescriptor IDENTIFIER 15 1",
        "ReadWriteCommand REFERENCE_TAG_HIGH 12 4",
        "ReadWriteCommand SLBA 40 8",
        "ReadWriteCommand NLB 48 2",
        "ReadWriteCommand CONTROL 50 2",
        "ReadWriteCommand DSM 52 4",
        "ReadWriteCommand REFERENCE_TAG 56 4",
        "ReadWriteCommand APPLICATION_TAG 60 2",
        "ReadWriteCommand APPLICATION_MASK 62 2",
        "DsmCommand NUMBER_OF_RANGES 40 1",
        "DsmCommand ATTRIBUTES 44 4",
        "DsmRange ATTRIBUTES 0 4",
        "DsmRange NLB 4 4",
        "DsmRange SLBA 8 8",
        "QueueCommand QUEUE_ID 40 2",
        "QueueCommand ENTRIES 42 2",
        "QueueCommand FLAGS 44 2",
        "QueueCommand VECTOR 46 2",
        "QueueCommand COMPLETION_QUEUE_ID 46 2",
        "IdentifyCommand CNS 40 1",
        "IdentifyCommand CNTID 42 2",
        "IdentifyCommand CNSSID 44 2",
        "IdentifyCommand CSI 47 1",
        "LogPageCommand LID 40 1",
        "LogPageCommand LSP 41 1",
        "LogPageCommand NUMDL 42 2",
        "LogPageCommand NUMDU 44 2",
        "LogPageCommand LPO 48 8",
        "LogPageCommand CSI 59 1",
        "FeatureCommand CDW11 44 4",
        "FeatureCommand CDW15 60 4",
        "AbortCommand SQ_ID 40 2",
        "AbortCommand COMMAND_ID 42 2",
        "HostMemoryBuffer ADDRESS 0 8",
        "HostMemoryBuffer LENGTH_PAGES 8 4",
        "IdentifyController SN 4 20",
        "IdentifyController MN 24 40",
        "IdentifyController FR 64 8",
        "IdentifyController RAB 72 1",
        "IdentifyController CMIC 76 1",
        "IdentifyController MDTS 77 1",
        "IdentifyController CNTLID 78 2",
        "IdentifyController VER 80 4",
        "IdentifyController RTD3R 84 4",
        "IdentifyController RTD3E 88 4",
        "IdentifyController OAES 92 4",
        "IdentifyController CTRATT 96 4",
        "IdentifyController CNTRLTYPE 111 1",
        "IdentifyController CRDT1 128 2",
        "IdentifyController CRDT2 130 2",
        "IdentifyController CRDT3 132 2",
        "IdentifyController OACS 256 2",
        "IdentifyController ACL 258 1",
        "IdentifyController AERL 259 1",
        "IdentifyController FRMW 260 1",
        "IdentifyController LPA 261 1",
        "IdentifyController NPSS 263 1",
        "IdentifyController WCTEMP 266 2",
        "IdentifyController HMPRE 272 4",
        "IdentifyController HMMIN 276 4",
        "IdentifyController KAS 320 2",
        "IdentifyController HMMINDS 332 4",
        "IdentifyController HMMAXD 336 2",
        "IdentifyController SQES 512 1",
        "IdentifyController CQES 513 1",
        "IdentifyController MAXCMD 514 2",
        "IdentifyController NN 516 4",
        "IdentifyController ONCS 520 2",
        "IdentifyController FUSES 522 2",
        "IdentifyController FNA 524 1",
        "IdentifyController VWC 525 1",
        "IdentifyController AWUN 526 2",
        "IdentifyController AWUPF 528 2",
        "IdentifyController ACWU 532 2",
        "IdentifyController SGLS 536 4",
        "IdentifyController MNAN 540 4",
        "IdentifyController SUBNQN 768 256",
        "IdentifyController IOCCSZ 1792 4",
        "IdentifyController IORCSZ 1796 4",
        "IdentifyController ICDOFF 1800 2",
        "IdentifyController MSDBD 1803 1",
        "IdentifyController POWER_STATES 2048 1024",
        "IdentifyNamespace NSZE 0 8",
        "IdentifyNamespace NCAP 8 8",
        "IdentifyNamespace NUSE 16 8",
        "IdentifyNamespace NSFEAT 24 1",
        "IdentifyNamespace NLBAF 25 1",
        "IdentifyNamespace FLBAS 26 1",
        "IdentifyNamespace MC 27 1",
        "IdentifyNamespace DPC 28 1",
        "IdentifyNamespace DPS 29 1",
        "IdentifyNamespace NMIC 30 1",
        "IdentifyNamespace DLFEAT 33 1",
        "IdentifyNamespace NAWUN 34 2",
        "IdentifyNamespace NAWUPF 36 2",
        "IdentifyNamespace NABSPF 44 2",
        "IdentifyNamespace NOIOB 46 2",
        "IdentifyNamespace NPWG 64 2",
        "IdentifyNamespace NPWA 66 2",
        "IdentifyNamespace NPDG 68 2",
        "IdentifyNamespace NPDA 70 2",
        "IdentifyNamespace NOWS 72 2",
        "IdentifyNamespace ANAGRPID 92 4",
        "IdentifyNamespace NSATTR 99 1",
        "IdentifyNamespace NGUID 104 16",
        "IdentifyNamespace EUI64 120 8",
        "IdentifyNamespace LBAF 128 256",
        "IdentifyNamespace VENDOR 384 3712",
        "NvmNamespace LBSTM 0 8",
        "NvmNamespace PIC 8 1",
        "NvmNamespace ELBAF 12 256",
        "NvmController WZSL 1 1",
        "NvmController DMRL 3 1",
        "NvmController DMRSL 4 4",
        "ErrorLog ERROR_COUNT 0 8",
        "ErrorLog SQ_ID 8 2",
        "ErrorLog COMMAND_ID 10 2",
        "ErrorLog STATUS_PHASE 12 2",
        "ErrorLog PARAMETER_LOCATION 14 2",
        "ErrorLog LBA 16 8",
        "ErrorLog NSID 24 4"
      })
  void fieldIsWhereTheSpecificationPutsIt(String layout, String name, String offset, int width)
      throws ReflectiveOperationException {
    Field field = (Field) layout(layout).getField(name).get(null);
    assertThat(field.offset()).isEqualTo(Integer.decode(offset));
    assertThat(field.width()).isEqualTo(width);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ' ',
      value = {
        "Cap MQES 15 0",
        "Cap CQR 16 16",
        "Cap AMS 18 17",
        "Cap TO 31 24",
        "Cap DSTRD 35 32",
        "Cap NSSRS 36 36",
        "Cap CSS 44 37",
        "Cap BPS 45 45",
        "Cap MPSMIN 51 48",
        "Cap MPSMAX 55 52",
        "Cap PMRS 56 56",
        "Cap CMBS 57 57",
        "Cap CRWMS 59 59",
        "Cap CRIMS 60 60",
        "Cc EN 0 0",
        "Cc CSS 6 4",
        "Cc MPS 10 7",
        "Cc AMS 13 11",
        "Cc SHN 15 14",
        "Cc IOSQES 19 16",
        "Cc IOCQES 23 20",
        "Cc CRIME 24 24",
        "Csts RDY 0 0",
        "Csts CFS 1 1",
        "Csts SHST 3 2",
        "Csts NSSRO 4 4",
        "Csts PP 5 5",
        "Aqa ASQS 11 0",
        "Aqa ACQS 27 16",
        "Cmb BIR 2 0",
        "Cmb OFST 31 12",
        "Cmb SQS 0 0",
        "Cmb CQS 1 1",
        "Cmb LISTS 2 2",
        "Cmb RDS 3 3",
        "Cmb WDS 4 4",
        "Cmb SZU 11 8",
        "Cmb SZ 31 12",
        "Cmb CRE 0 0",
        "Cmb CMSE 1 1",
        "Cmb CBA 63 12",
        "Sqe FUSE 1 0",
        "Sqe PSDT 7 6",
        "ReadWriteCommand LR 15 15",
        "ReadWriteCommand FUA 14 14",
        "ReadWriteCommand PRACT 13 13",
        "ReadWriteCommand PRCHK_GUARD 12 12",
        "ReadWriteCommand PRCHK_APPLICATION 11 11",
        "ReadWriteCommand PRCHK_REFERENCE 10 10",
        "ReadWriteCommand DEAC 9 9",
        "LbaFormat MS 15 0",
        "LbaFormat LBADS 23 16",
        "LbaFormat RP 25 24",
        "ExtendedLbaFormat STS 6 0",
        "ExtendedLbaFormat PIF 8 7",
        "ExtendedLbaFormat QPIF 12 9"
      })
  void bitsAreWhereTheSpecificationPutsThem(String layout, String name, int high, int low)
      throws ReflectiveOperationException {
    assertThat(layout(layout).getField(name).get(null)).isEqualTo(new Bits(high, low));
  }

  private static Class<?> layout(String name) throws ClassNotFoundException {
    return Class.forName(LayoutTest.class.getPackageName() + "." + name + "Layout");
  }

  private static int size(Class<?> layout) throws ReflectiveOperationException {
    return layout.getSimpleName().endsWith("CommandLayout") ? SqeLayout.SIZE : layout.getField("SIZE").getInt(null);
  }

  private static List<Named> fields(Class<?> layout) throws ReflectiveOperationException {
    List<Named> fields = new ArrayList<>();
    for (java.lang.reflect.Field constant : layout.getFields()) {
      String name = layout.getSimpleName() + "." + constant.getName();
      boolean isField = Field.class.isAssignableFrom(constant.getType());
      if (isField && Modifier.isStatic(constant.getModifiers()) && !ALIASES.contains(name)) {
        fields.add(new Named(name, (Field) constant.get(null)));
      }
    }
    fields.sort(Comparator.comparingInt(named -> named.field().offset()));
    return fields;
  }
}
