import { describeModel } from '@bulwark/core/testing';
import { myLayers, myResidual } from './my-model.js';

describeModel(myLayers, { options: { units: 6 }, refused: [{ units: 0 }] });
describeModel(myResidual, { options: { width: 4 } });
