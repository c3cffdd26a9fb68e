import { type Secret } from '@weir/kernel';
import { type CreateModel } from '../admin/models/model.dto';
import { type CreateOrganization } from '../admin/organizations/organization.dto';
import { type CreateProject } from '../admin/projects/project.dto';
import { type CreateUpstream } from '../admin/upstreams/upstream.dto';

/** Who declares: what is kept in `managed_by` of the rows that are made. */
export type Origin = 'file' | 'environment';

/** Says where a thing was declared, for messages: `weir.yaml:4:7 (upstreams[0].weight)`. Null is the thing itself. */
export type Place = (field: string | null) => string;

interface Declared<Fields> {
  /** As the admin API takes them. A field that is not there stays as it is. */
  readonly fields: Fields;
  readonly origin: Origin;
  readonly place: Place;
}

export interface DeclaredKey {
  readonly label: string;
  readonly secret: Secret;
  readonly place: Place;
}

export interface DeclaredUpstream extends Declared<CreateUpstream> {
  readonly keys: readonly DeclaredKey[];
  /** False for a backend that is switched off: it is changed where it is, and not made. */
  readonly isWanted: boolean;
}

/** A target by its upstream's name: ids are known only once the upstreams are there. */
export interface DeclaredTarget {
  readonly upstream: string;
  readonly upstreamModel: string;
  readonly weight?: number;
  readonly priority?: number;
}

export interface DeclaredModel extends Declared<Omit<CreateModel, 'targets'>> {
  readonly targets: readonly DeclaredTarget[];
  /**
   * `declared`: it is made as written. `offered`, what a backend brings: made if it is not there, and
   * otherwise only given the target, because an admin may have done more with it.
   */
  readonly manner: 'declared' | 'offered';
}

export type DeclaredProject = Declared<CreateProject>;

export interface DeclaredOrganization extends Declared<CreateOrganization> {
  readonly projects: readonly DeclaredProject[];
}

/** All that shall be there. */
export interface Declaration {
  readonly upstreams: readonly DeclaredUpstream[];
  readonly models: readonly DeclaredModel[];
  readonly organizations: readonly DeclaredOrganization[];
}
